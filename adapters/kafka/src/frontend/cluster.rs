//! ApiVersions, DescribeCluster and FindCoordinator: what there is to talk to.

use bytes::BytesMut;

use super::{
    operations,
    service::{Client, NODE},
};
use crate::codec::{
    api::{
        ApiKey,
        api_versions::{ApiVersion, ApiVersionsResponse},
        coordinator::{CoordinatorNode, FindCoordinatorRequest, FindCoordinatorResponse},
        metadata::{ClusterBroker, DescribeClusterRequest, DescribeClusterResponse},
    },
    error_code::ErrorCode,
    header::RequestHeader,
};

/// Key types of FindCoordinator.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const BROKERS: i8 = 1;

/// Which APIs are served. A version that is not known is answered in version 0 with an error and
/// all that is served, so that the client can ask again (KIP-511).
pub(super) fn api_versions(header: &RequestHeader) -> BytesMut {
    let (version, error) = if header.is_supported() {
        (header.version, ErrorCode::None)
    } else {
        (0, ErrorCode::UnsupportedVersion)
    };
    let api_keys = ApiKey::ALL.iter().map(|key| ApiVersion {
        api_key: key.number(),
        min_version: *key.versions().start(),
        max_version: *key.versions().end(),
    });
    let response = ApiVersionsResponse {
        error_code: error.number(),
        api_keys: api_keys.collect(),
        ..Default::default()
    };
    header.respond(version, &response)
}

/// The cluster of one broker.
pub(super) fn describe(
    client: &Client,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let mut response = DescribeClusterResponse {
        endpoint_type: request.endpoint_type,
        cluster_id: client.service.cluster_id().to_owned(),
        controller_id: NODE,
        ..Default::default()
    };
    if request.endpoint_type == BROKERS {
        let node = client.node();
        response.brokers = vec![ClusterBroker {
            node_id: node.node_id,
            host: node.host,
            port: node.port,
            rack: node.rack,
        }];
        let is_told = request.include_cluster_authorized_operations;
        response.cluster_authorized_operations = operations::told(is_told, operations::ON_CLUSTER);
    } else {
        response.error_code = ErrorCode::MismatchedEndpointType.number();
        response.error_message = Some("this is an endpoint of brokers (1)".into());
    }
    response
}

/// The coordinator of every group is here; transactions have none.
pub(super) fn find_coordinator(
    client: &Client,
    request: FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let find = |key: String| coordinator_of(client, key, request.key_type);
    if version >= 4 {
        return FindCoordinatorResponse {
            coordinators: request.coordinator_keys.into_iter().map(find).collect(),
            ..Default::default()
        };
    }
    let found = find(request.key);
    FindCoordinatorResponse {
        error_code: found.error_code,
        error_message: found.error_message,
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..Default::default()
    }
}

fn coordinator_of(client: &Client, key: String, key_type: i8) -> CoordinatorNode {
    if key_type != GROUP {
        let (code, message) = match key_type {
            TRANSACTION => (
                ErrorCode::TransactionalIdAuthorizationFailed,
                "only consumer groups are coordinated; no transactions",
            ),
            _ => (
                ErrorCode::InvalidRequest,
                "only consumer groups are coordinated; no share groups",
            ),
        };
        return CoordinatorNode {
            key,
            error_code: code.number(),
            error_message: Some(message.into()),
            ..Default::default()
        };
    }
    let node = client.node();
    CoordinatorNode {
        key,
        node_id: node.node_id,
        host: node.host,
        port: node.port,
        ..Default::default()
    }
}
