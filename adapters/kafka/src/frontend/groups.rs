//! ListGroups, DescribeGroups, DeleteGroups.

use standpipe_core::group::{Description, MemberDescription, State};

use super::{
    distinct::distinct,
    failure::{code_of, refusal_code},
    failures::Failures,
    operations,
    service::Client,
};
use crate::codec::{
    api::groups::{
        DeleteGroupsRequest, DeleteGroupsResponse, DeletedGroup, DescribeGroupsRequest,
        DescribeGroupsResponse, DescribedGroup, DescribedMember, ListGroupsRequest,
        ListGroupsResponse, ListedGroup,
    },
    error_code::ErrorCode,
};

/// The only type of groups here (KIP-848 calls the newer one `consumer`).
const CLASSIC: &str = "classic";

/// All groups that pass the filters.
pub(super) fn list(client: &Client, request: ListGroupsRequest) -> ListGroupsResponse {
    let passes = |filter: &[String], word: &str| {
        filter.is_empty() || filter.iter().any(|one| one.eq_ignore_ascii_case(word))
    };
    let groups = client.service.groups().list().into_iter();
    let groups = groups.map(|listing| ListedGroup {
        group_id: listing.group.to_string(),
        protocol_type: listing.protocol_type.to_string(),
        group_state: listing.state.to_string(),
        group_type: CLASSIC.into(),
    });
    ListGroupsResponse {
        groups: groups
            .filter(|group| passes(&request.states_filter, &group.group_state))
            .filter(|group| passes(&request.types_filter, &group.group_type))
            .collect(),
        ..Default::default()
    }
}

/// Some groups; one that is not there is `Dead`.
pub(super) fn describe(client: &Client, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let is_told = request.include_authorized_operations;
    client.service.groups().remember_committed();
    let describe = |id: String| {
        let group = match client.service.groups().describe(&id) {
            Some(group) => described(id, group),
            None => DescribedGroup {
                group_id: id,
                group_state: State::Dead.to_string(),
                ..Default::default()
            },
        };
        DescribedGroup {
            authorized_operations: operations::told(is_told, operations::ON_GROUP),
            ..group
        }
    };
    let named = distinct(request.groups, String::clone);
    DescribeGroupsResponse {
        groups: named.into_iter().map(describe).collect(),
        ..Default::default()
    }
}

/// Removes groups without members, with their offsets.
pub(super) async fn delete(client: &Client, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    client.service.groups().remember_committed();
    let named = distinct(request.groups_names, String::clone);
    let mut failures = Failures::new("groups could not be deleted");
    let mut results = Vec::with_capacity(named.len());
    for group_id in named {
        let error_code = delete_one(client, &group_id, &mut failures).await.number();
        results.push(DeletedGroup {
            group_id,
            error_code,
        });
    }
    DeleteGroupsResponse {
        results,
        ..Default::default()
    }
}

async fn delete_one(client: &Client, group: &str, failures: &mut Failures) -> ErrorCode {
    match client.service.groups().delete(group).await {
        Ok(Ok(())) => ErrorCode::None,
        Ok(Err(refusal)) => refusal_code(&refusal),
        Err(error) => {
            failures.add(group, &error);
            code_of(&error)
        }
    }
}

fn described(group_id: String, group: Description) -> DescribedGroup {
    DescribedGroup {
        group_id,
        group_state: group.state.to_string(),
        protocol_type: group.protocol_type.to_string(),
        protocol_data: group.protocol.to_string(),
        members: group.members.into_iter().map(described_member).collect(),
        ..Default::default()
    }
}

fn described_member(member: MemberDescription) -> DescribedMember {
    DescribedMember {
        member_id: member.member_id.to_string(),
        group_instance_id: member.instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        member_metadata: member.metadata,
        member_assignment: member.assignment,
    }
}
