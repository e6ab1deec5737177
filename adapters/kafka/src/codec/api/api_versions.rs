//! ApiVersions. Of the request nothing is read: a client of any version must get an answer.

use crate::codec::message;

message! {
    /// The APIs with their versions.
    ApiVersionsResponse {
        error_code: i16, 0..;
        api_keys: Vec<ApiVersion>, 0..;
        throttle_time_ms: i32, 1..;
    }

    /// One API.
    ApiVersion {
        api_key: i16, 0..;
        min_version: i16, 0..;
        max_version: i16, 0..;
    }
}
