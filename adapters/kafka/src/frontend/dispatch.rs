//! From a request to who answers it.

use std::future::Future;

use bytes::BytesMut;
use futures::future::BoxFuture;

use super::{
    alter_configs, cluster, config_resources, configs, delete_records, epochs, groups,
    list_offsets, log_dirs, membership, metadata, offset_delete, offsets, pages, partitions,
    produce, producer_id, producers, replicas, service::Client, topics,
};
use crate::{
    codec::{Malformed, Reader, Wire, api::ApiKey, header::RequestHeader},
    frontend::fetch,
};

/// What goes back to the client.
pub(super) enum Answer {
    /// A response.
    Now(BytesMut),
    /// A response that has to wait for something.
    Later(BoxFuture<'static, BytesMut>),
    /// Nothing (acks = 0).
    Nothing,
}

/// Acts on a request. What it changes is done when this returns, or has its place in the order.
///
/// # Errors
/// Where the client cannot be answered, and its connection has to be closed.
pub(super) async fn dispatch(
    client: &Client,
    header: RequestHeader,
    mut body: Reader,
) -> Result<Answer, Malformed> {
    let version = header.version;
    if header.key == ApiKey::ApiVersions {
        return Ok(Answer::Now(cluster::api_versions(&header)));
    }
    if !header.is_supported() {
        return Err(Malformed("not served".into()));
    }
    match header.key {
        ApiKey::Produce => {
            let request = Wire::read(&mut body, version)?;
            drop(body);
            produce::begin(client, header, request).await
        }
        ApiKey::Fetch => {
            let request = Wire::read(&mut body, version)?;
            Ok(later(header, fetch::answer(client.clone(), request)))
        }
        ApiKey::JoinGroup | ApiKey::SyncGroup | ApiKey::Heartbeat | ApiKey::LeaveGroup => {
            in_group(client, header, body)
        }
        _ => administer(client, header, body).await,
    }
}

/// Requests of a group's members.
fn in_group(client: &Client, header: RequestHeader, mut body: Reader) -> Result<Answer, Malformed> {
    let (body, version) = (&mut body, header.version);
    Ok(match header.key {
        ApiKey::JoinGroup => {
            let joining = membership::join(client, &header, Wire::read(body, version)?);
            later(header, joining)
        }
        ApiKey::SyncGroup => {
            let syncing = membership::sync(client, Wire::read(body, version)?, version);
            later(header, syncing)
        }
        ApiKey::Heartbeat => now(
            &header,
            &membership::heartbeat(client, Wire::read(body, version)?),
        ),
        _ => {
            let response = membership::leave(client, Wire::read(body, version)?, version);
            now(&header, &response)
        }
    })
}

/// Everything that is done when it is answered.
async fn administer(
    client: &Client,
    header: RequestHeader,
    mut body: Reader,
) -> Result<Answer, Malformed> {
    let (header, body, v) = (&header, &mut body, header.version);
    Ok(match header.key {
        ApiKey::Metadata => now(
            header,
            &metadata::answer(client, Wire::read(body, v)?, v).await,
        ),
        ApiKey::ListOffsets => now(
            header,
            &list_offsets::answer(client, Wire::read(body, v)?, v).await,
        ),
        ApiKey::OffsetCommit => now(header, &offsets::commit(client, Wire::read(body, v)?).await),
        ApiKey::OffsetFetch => now(header, &offsets::fetch(client, Wire::read(body, v)?, v)),
        ApiKey::FindCoordinator => now(
            header,
            &cluster::find_coordinator(client, Wire::read(body, v)?, v),
        ),
        ApiKey::DescribeGroups => now(header, &groups::describe(client, Wire::read(body, v)?)),
        ApiKey::ListGroups => now(header, &groups::list(client, Wire::read(body, v)?)),
        ApiKey::DeleteGroups => now(header, &groups::delete(client, Wire::read(body, v)?).await),
        ApiKey::CreateTopics => now(header, &topics::create(client, Wire::read(body, v)?).await),
        ApiKey::DeleteTopics => now(
            header,
            &topics::delete(client, Wire::read(body, v)?, v).await,
        ),
        ApiKey::CreatePartitions => now(
            header,
            &partitions::create(client, Wire::read(body, v)?).await,
        ),
        ApiKey::InitProducerId => now(
            header,
            &producer_id::answer(client, Wire::read(body, v)?).await,
        ),
        ApiKey::DescribeConfigs => now(header, &configs::answer(client, Wire::read(body, v)?)),
        ApiKey::AlterConfigs => now(
            header,
            &alter_configs::replace(client, Wire::read(body, v)?).await,
        ),
        ApiKey::IncrementalAlterConfigs => now(
            header,
            &alter_configs::increment(client, Wire::read(body, v)?).await,
        ),
        ApiKey::DescribeCluster => now(header, &cluster::describe(client, Wire::read(body, v)?)),
        _ => return look_after(client, header, body).await,
    })
}

/// What an administrator asks about partitions and their copies.
async fn look_after(
    client: &Client,
    header: &RequestHeader,
    body: &mut Reader,
) -> Result<Answer, Malformed> {
    let v = header.version;
    Ok(match header.key {
        ApiKey::OffsetDelete => now(
            header,
            &offset_delete::answer(client, Wire::read(body, v)?).await,
        ),
        ApiKey::DeleteRecords => now(
            header,
            &delete_records::answer(client, Wire::read(body, v)?).await,
        ),
        ApiKey::DescribeLogDirs => now(
            header,
            &log_dirs::answer(client, Wire::read(body, v)?).await,
        ),
        ApiKey::AlterReplicaLogDirs => now(header, &log_dirs::alter(client, Wire::read(body, v)?)),
        ApiKey::ListConfigResources => now(
            header,
            &config_resources::answer(client, Wire::read(body, v)?, v),
        ),
        ApiKey::ElectLeaders => now(header, &replicas::elect(client, Wire::read(body, v)?)),
        ApiKey::AlterPartitionReassignments => {
            now(header, &replicas::reassign(client, Wire::read(body, v)?))
        }
        ApiKey::ListPartitionReassignments => {
            now(header, &replicas::ongoing(client, Wire::read(body, v)?))
        }
        ApiKey::DescribeProducers => {
            now(header, &producers::describe(client, Wire::read(body, v)?))
        }
        ApiKey::DescribeTopicPartitions => {
            now(header, &pages::answer(client, Wire::read(body, v)?))
        }
        ApiKey::OffsetForLeaderEpoch => {
            now(header, &epochs::answer(client, Wire::read(body, v)?).await)
        }
        other => return Err(Malformed(format!("{other:?} is answered elsewhere"))),
    })
}

/// A response that is there.
pub(super) fn now(header: &RequestHeader, response: &impl Wire) -> Answer {
    Answer::Now(header.respond(header.version, response))
}

/// A response that has to wait.
pub(super) fn later<T: Wire>(
    header: RequestHeader,
    response: impl Future<Output = T> + Send + 'static,
) -> Answer {
    Answer::Later(Box::pin(async move {
        let response = response.await;
        header.respond(header.version, &response)
    }))
}
