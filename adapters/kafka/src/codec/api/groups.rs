//! ListGroups, DescribeGroups and DeleteGroups.

use bytes::Bytes;

use crate::codec::message;

message! {
    /// Asks for all groups, or those in certain states and of certain types.
    ListGroupsRequest {
        states_filter: Vec<String>, 4..;
        types_filter: Vec<String>, 5..;
    }

    /// The groups.
    ListGroupsResponse {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..;
        groups: Vec<ListedGroup>, 0..;
    }

    /// A group in the list.
    ListedGroup {
        group_id: String, 0..;
        protocol_type: String, 0..;
        group_state: String, 4..;
        group_type: String, 5..;
    }

    /// Asks for some groups, whole.
    DescribeGroupsRequest {
        groups: Vec<String>, 0..;
        include_authorized_operations: bool, 3..;
    }

    /// The groups.
    DescribeGroupsResponse {
        throttle_time_ms: i32, 1..;
        groups: Vec<DescribedGroup>, 0..;
    }

    /// A group, whole.
    DescribedGroup {
        error_code: i16, 0..;
        group_id: String, 0..;
        group_state: String, 0..;
        protocol_type: String, 0..;
        protocol_data: String, 0..;
        members: Vec<DescribedMember>, 0..;
        authorized_operations: i32 = i32::MIN, 3..;
    }

    /// A member of it.
    DescribedMember {
        member_id: String, 0..;
        group_instance_id: Option<String>, 4..;
        client_id: String, 0..;
        client_host: String, 0..;
        member_metadata: Bytes, 0..;
        member_assignment: Bytes, 0..;
    }

    /// Removes groups that have no members.
    DeleteGroupsRequest {
        groups_names: Vec<String>, 0..;
    }

    /// What became of them.
    DeleteGroupsResponse {
        throttle_time_ms: i32, 0..;
        results: Vec<DeletedGroup>, 0..;
    }

    /// What became of a group.
    DeletedGroup {
        group_id: String, 0..;
        error_code: i16, 0..;
    }
}
