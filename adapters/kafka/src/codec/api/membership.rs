//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup.

use bytes::Bytes;

use crate::codec::message;

message! {
    /// Joins a group.
    JoinGroupRequest {
        group_id: String, 0..;
        session_timeout_ms: i32, 0..;
        rebalance_timeout_ms: i32 = -1, 1..;
        member_id: String, 0..;
        group_instance_id: Option<String>, 5..;
        protocol_type: String, 0..;
        protocols: Vec<JoinProtocol>, 0..;
        reason: Option<String>, 8..;
    }

    /// A way of assigning that the member supports.
    JoinProtocol {
        name: String, 0..;
        metadata: Bytes, 0..;
    }

    /// A generation that was joined.
    JoinGroupResponse {
        throttle_time_ms: i32, 2..;
        error_code: i16, 0..;
        generation_id: i32 = -1, 0..;
        protocol_type: Option<String>, 7..;
        protocol_name: Option<String>, 0..;
        leader: String, 0..;
        skip_assignment: bool, 9..;
        member_id: String, 0..;
        members: Vec<JoinedMember>, 0..;
    }

    /// A member, as the leader is told.
    JoinedMember {
        member_id: String, 0..;
        group_instance_id: Option<String>, 5..;
        metadata: Bytes, 0..;
    }

    /// Brings or asks for assignments.
    SyncGroupRequest {
        group_id: String, 0..;
        generation_id: i32, 0..;
        member_id: String, 0..;
        group_instance_id: Option<String>, 3..;
        protocol_type: Option<String>, 5..;
        protocol_name: Option<String>, 5..;
        assignments: Vec<SyncAssignment>, 0..;
    }

    /// What a member is assigned.
    SyncAssignment {
        member_id: String, 0..;
        assignment: Bytes, 0..;
    }

    /// The member's own assignment.
    SyncGroupResponse {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..;
        protocol_type: Option<String>, 5..;
        protocol_name: Option<String>, 5..;
        assignment: Bytes, 0..;
    }

    /// Says that a member is alive.
    HeartbeatRequest {
        group_id: String, 0..;
        generation_id: i32, 0..;
        member_id: String, 0..;
        group_instance_id: Option<String>, 3..;
    }

    /// What the member should do.
    HeartbeatResponse {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..;
    }

    /// Leaves a group: one member below version 3, any number from then on.
    LeaveGroupRequest {
        group_id: String, 0..;
        member_id: String, 0..=2;
        members: Vec<LeavingMember>, 3..;
    }

    /// A member that leaves.
    LeavingMember {
        member_id: String, 3..;
        group_instance_id: Option<String>, 3..;
        reason: Option<String>, 5..;
    }

    /// Who has left.
    LeaveGroupResponse {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..;
        members: Vec<LeftMember>, 3..;
    }

    /// Whether a member has left.
    LeftMember {
        member_id: String, 3..;
        group_instance_id: Option<String>, 3..;
        error_code: i16, 3..;
    }
}
