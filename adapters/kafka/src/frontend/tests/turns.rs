//! The largest answers are made by turns.

use std::pin::pin;

use futures::FutureExt;

use super::{
    super::dispatch::{Answer, dispatch},
    *,
};
use crate::codec::{
    api::{configs::*, log_dirs::*},
    header::RequestHeader,
};

/// What comes of a request.
async fn answered(client: &Client, key: ApiKey, version: i16, body: &impl Wire) {
    let octets = request(key, version, body).slice(4..);
    let (header, body) = RequestHeader::read(octets).unwrap();
    let answer = dispatch(client, header, body).await;
    assert!(matches!(answer, Ok(Answer::Now(_))));
}

#[tokio::test]
async fn what_is_told_of_all_topics_waits_while_two_others_make_theirs() {
    let client = connected(opened(Arc::new(MemoryStore::new()), Options::default()).await).await;
    let turns = client.service.turns();
    let first = turns.described().await;
    let _second = turns.described().await;
    let configs = DescribeConfigsRequest::default();
    let mut configs = pin!(answered(&client, ApiKey::DescribeConfigs, 4, &configs));
    let all = MetadataRequest::default();
    let mut all = pin!(answered(&client, ApiKey::Metadata, 12, &all));
    assert!(configs.as_mut().now_or_never().is_none());
    assert!(all.as_mut().now_or_never().is_none());
    let named = MetadataRequest {
        topics: Some(Vec::new()),
        ..Default::default()
    };
    answered(&client, ApiKey::Metadata, 12, &named).await;
    let sizes = DescribeLogDirsRequest::default();
    answered(&client, ApiKey::DescribeLogDirs, 4, &sizes).await;
    drop(first);
    configs.await;
    all.await;
}

#[tokio::test]
async fn sizes_of_logs_are_read_by_turns_of_their_own() {
    let client = connected(opened(Arc::new(MemoryStore::new()), Options::default()).await).await;
    let turns = client.service.turns();
    let first = turns.read().await;
    let _second = turns.read().await;
    let sizes = DescribeLogDirsRequest::default();
    let mut sizes = pin!(answered(&client, ApiKey::DescribeLogDirs, 4, &sizes));
    assert!(sizes.as_mut().now_or_never().is_none());
    let all = MetadataRequest::default();
    answered(&client, ApiKey::Metadata, 12, &all).await;
    drop(first);
    sizes.await;
}
