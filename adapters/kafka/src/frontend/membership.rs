//! JoinGroup, SyncGroup, Heartbeat, LeaveGroup: from requests to the coordinator and back.

use std::{future::Future, sync::Arc, time::Duration};

use standpipe_core::group::{Join, Joined, Leaver, Membership, Protocol, Refusal, Sync, Synced};

use super::{coordinator::Reply, failure::refusal_code, service::Client};
use crate::codec::{
    api::membership::{
        HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, JoinedMember,
        LeaveGroupRequest, LeaveGroupResponse, LeavingMember, LeftMember, SyncGroupRequest,
        SyncGroupResponse,
    },
    error_code::ErrorCode,
    header::RequestHeader,
};

/// From then on a member is handed an id before it joins (KIP-394).
const ASKS_FOR_ID: i16 = 4;
/// From then on a static leader that comes back can be told not to assign (KIP-814).
const SKIPS_ASSIGNMENT: i16 = 9;
/// From then on the protocol's name may be null.
const NULL_PROTOCOL: i16 = 7;
/// From then on SyncGroup names the protocol that the member believes in (KIP-559).
const NAMES_PROTOCOL: i16 = 5;
/// From then on LeaveGroup names any number of members.
const MANY_LEAVERS: i16 = 3;

/// Joins; the answer comes when all members have.
pub(super) fn join(
    client: &Client,
    header: &RequestHeader,
    request: JoinGroupRequest,
) -> impl Future<Output = JoinGroupResponse> + use<> {
    let version = header.version;
    let session = millis(request.session_timeout_ms);
    let protocols = request.protocols.into_iter().map(|protocol| Protocol {
        name: protocol.name.into(),
        metadata: protocol.metadata,
    });
    let member_id = request.member_id.clone();
    let reply = client.service.groups().join(Join {
        group: request.group_id.into(),
        member_id: request.member_id.into(),
        instance_id: request.group_instance_id.map(Arc::from),
        client_id: header.client_id.as_str().into(),
        client_host: format!("/{}", client.peer.ip()).into(),
        session_timeout: session,
        rebalance_timeout: if request.rebalance_timeout_ms < 0 {
            session
        } else {
            millis(request.rebalance_timeout_ms)
        },
        protocol_type: request.protocol_type.into(),
        protocols: protocols.collect(),
        asks_for_member_id: version >= ASKS_FOR_ID,
        skips_assignment: version >= SKIPS_ASSIGNMENT,
    });
    let client = client.clone();
    async move {
        match wait(&client, reply).await {
            Some(Ok(joined)) => joined_response(joined),
            Some(Err(refusal)) => not_joined(refusal, member_id, version),
            None => JoinGroupResponse {
                error_code: ErrorCode::CoordinatorNotAvailable.number(),
                protocol_name: Some(String::new()),
                member_id,
                ..Default::default()
            },
        }
    }
}

/// Brings or asks for assignments; the answer comes when the leader's is there.
pub(super) fn sync(
    client: &Client,
    request: SyncGroupRequest,
    version: i16,
) -> impl Future<Output = SyncGroupResponse> + use<> {
    let is_named = request.protocol_type.is_some() && request.protocol_name.is_some();
    let reply = (version < NAMES_PROTOCOL || is_named).then(|| begin_sync(client, request));
    let client = client.clone();
    async move {
        let Some(reply) = reply else {
            return not_synced(ErrorCode::InconsistentGroupProtocol);
        };
        match wait(&client, reply).await {
            Some(Ok(synced)) => synced_response(synced),
            Some(Err(refusal)) => not_synced(refusal_code(&refusal)),
            None => not_synced(ErrorCode::CoordinatorNotAvailable),
        }
    }
}

fn begin_sync(client: &Client, request: SyncGroupRequest) -> Reply<Synced> {
    let assignments = request.assignments.into_iter();
    client.service.groups().sync(Sync {
        member: Membership {
            group: request.group_id.into(),
            member_id: request.member_id.into(),
            instance_id: request.group_instance_id.map(Arc::from),
            generation: request.generation_id,
        },
        protocol_type: request.protocol_type.map(Arc::from),
        protocol: request.protocol_name.map(Arc::from),
        assignments: assignments
            .map(|one| (one.member_id.into(), one.assignment))
            .collect(),
    })
}

/// Says that a member is alive.
pub(super) fn heartbeat(client: &Client, request: HeartbeatRequest) -> HeartbeatResponse {
    let alive = client.service.groups().heartbeat(&Membership {
        group: request.group_id.into(),
        member_id: request.member_id.into(),
        instance_id: request.group_instance_id.map(Arc::from),
        generation: request.generation_id,
    });
    HeartbeatResponse {
        error_code: code(&alive),
        ..Default::default()
    }
}

/// Takes members out of a group.
pub(super) fn leave(
    client: &Client,
    request: LeaveGroupRequest,
    version: i16,
) -> LeaveGroupResponse {
    if request.group_id.is_empty() {
        return LeaveGroupResponse {
            error_code: ErrorCode::InvalidGroupId.number(),
            ..Default::default()
        };
    }
    let members = if version >= MANY_LEAVERS {
        request.members
    } else {
        vec![LeavingMember {
            member_id: request.member_id,
            ..Default::default()
        }]
    };
    let leavers: Vec<_> = members.iter().map(leaver).collect();
    let left = client
        .service
        .groups()
        .leave(&request.group_id.into(), &leavers);
    let left = members
        .into_iter()
        .zip(&left)
        .map(|(member, left)| LeftMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            error_code: code(left),
        });
    let members: Vec<_> = left.collect();
    let error_code = match members.first() {
        Some(only) if version < MANY_LEAVERS => only.error_code,
        _ => ErrorCode::None.number(),
    };
    LeaveGroupResponse {
        error_code,
        members,
        ..Default::default()
    }
}

/// The coordinator's answer; `None` where the client is gone or the broker stops before.
async fn wait<T>(client: &Client, reply: Reply<T>) -> Option<Result<T, Refusal>> {
    tokio::select! {
        reply = reply => reply.ok(),
        () = client.gone.cancelled() => None,
    }
}

fn joined_response(joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| JoinedMember {
        member_id: member.member_id.to_string(),
        group_instance_id: member.instance_id.map(|id| id.to_string()),
        metadata: member.metadata,
    });
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: Some(joined.protocol_type.to_string()),
        protocol_name: Some(joined.protocol.to_string()),
        leader: joined.leader.to_string(),
        skip_assignment: joined.skip_assignment,
        member_id: joined.member_id.to_string(),
        members: members.collect(),
        ..Default::default()
    }
}

fn not_joined(refusal: Refusal, member_id: String, version: i16) -> JoinGroupResponse {
    let error_code = refusal_code(&refusal).number();
    let member_id = match refusal {
        Refusal::MemberIdRequired(id) => id.to_string(),
        _ => member_id,
    };
    JoinGroupResponse {
        error_code,
        protocol_name: (version < NULL_PROTOCOL).then(String::new),
        member_id,
        ..Default::default()
    }
}

fn synced_response(synced: Synced) -> SyncGroupResponse {
    SyncGroupResponse {
        protocol_type: Some(synced.protocol_type.to_string()),
        protocol_name: Some(synced.protocol.to_string()),
        assignment: synced.assignment,
        ..Default::default()
    }
}

fn not_synced(code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: code.number(),
        ..Default::default()
    }
}

fn leaver(member: &LeavingMember) -> Leaver {
    Leaver {
        member_id: member.member_id.as_str().into(),
        instance_id: member.group_instance_id.as_deref().map(Arc::from),
    }
}

fn code(result: &Result<(), Refusal>) -> i16 {
    let refusal = result.as_ref().err();
    refusal.map_or(ErrorCode::None, refusal_code).number()
}

fn millis(wire: i32) -> Duration {
    Duration::from_millis(u64::try_from(wire).unwrap_or(0))
}
