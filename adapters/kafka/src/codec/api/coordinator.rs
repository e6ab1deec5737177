//! FindCoordinator.

use crate::codec::message;

message! {
    /// Asks who coordinates a group.
    FindCoordinatorRequest {
        key: String, 0..=3;
        key_type: i8, 1..;
        coordinator_keys: Vec<String>, 4..;
    }

    /// Who it is: one below version 4, any number from then on.
    FindCoordinatorResponse {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..=3;
        error_message: Option<String>, 1..=3;
        node_id: i32 = -1, 0..=3;
        host: String, 0..=3;
        port: i32 = -1, 0..=3;
        coordinators: Vec<CoordinatorNode>, 4..;
    }

    /// The coordinator of one key.
    CoordinatorNode {
        key: String, 4..;
        node_id: i32 = -1, 4..;
        host: String, 4..;
        port: i32 = -1, 4..;
        error_code: i16, 4..;
        error_message: Option<String>, 4..;
    }
}
