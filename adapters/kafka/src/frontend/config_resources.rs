//! ListConfigResources: what has settings (KIP-1142).

use super::{
    configs::{BROKER, TOPIC},
    names,
    service::{Client, NODE},
};
use crate::codec::{
    api::configs::{ListConfigResourcesRequest, ListConfigResourcesResponse, ListedResource},
    error_code::ErrorCode,
};

/// Types that Kafka knows and nothing here has: levels of a broker's log (8), clients' metrics, groups.
const NONE_OF: [i8; 3] = [8, 16, 32];
/// From then on it is asked for types; before, for clients' metrics only.
const TYPES: i16 = 1;

/// The broker and the topics.
pub(super) fn answer(
    client: &Client,
    request: ListConfigResourcesRequest,
    version: i16,
) -> ListConfigResourcesResponse {
    let asked = request.resource_types;
    let is_known = |kind: &i8| [TOPIC, BROKER].contains(kind) || NONE_OF.contains(kind);
    if !asked.iter().all(is_known) {
        return ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion.number(),
            ..Default::default()
        };
    }
    let wants = |kind| version >= TYPES && (asked.is_empty() || asked.contains(&kind));
    let listed = |resource_name, resource_type| ListedResource {
        resource_name,
        resource_type,
    };
    let mut config_resources = Vec::new();
    if wants(BROKER) {
        config_resources.push(listed(NODE.to_string(), BROKER));
    }
    if wants(TOPIC) {
        let topics = names::topics(client.broker()).into_iter();
        config_resources.extend(topics.map(|topic| listed(topic.name().to_string(), TOPIC)));
    }
    ListConfigResourcesResponse {
        config_resources,
        ..Default::default()
    }
}
