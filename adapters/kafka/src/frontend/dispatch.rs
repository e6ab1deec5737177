//! From a request to who answers it.

use std::{future::Future, time::Duration};

use bytes::BytesMut;
use futures::future::BoxFuture;

use super::{
    alter_configs, cluster, config_resources, configs, delete_records, epochs, fetch, groups,
    list_offsets, log_dirs, membership, metadata, offset_delete, offsets,
    outlet::{Due, Full},
    pages, partitions, produce, producer_id, producers, replicas,
    service::Client,
    topics,
};
use crate::codec::{
    Malformed, Reader, Wire,
    api::{ApiKey, fetch::FetchRequest, membership::JoinGroupResponse},
    header::RequestHeader,
};

/// Octets of a request up to which it is kept until its turn to be answered comes.
const QUESTION: usize = 1 << 20;

/// What goes back to the client.
pub(super) enum Answer {
    /// A response.
    Now(Due),
    /// A response that has to wait for something, and how many octets it holds meanwhile.
    Later {
        held: usize,
        due: BoxFuture<'static, Due>,
    },
    /// Nothing (acks = 0).
    Nothing,
}

impl Answer {
    /// How many octets it holds until its turn to be written comes.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Now(due) => due.octets.len(),
            Self::Later { held, .. } => *held,
            Self::Nothing => 0,
        }
    }
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
        return Ok(Answer::Now(cluster::api_versions(&header).into()));
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
            let held = body.remaining();
            let request = Wire::read(&mut body, version)?;
            Ok(fetching(client.clone(), header, request, held))
        }
        ApiKey::JoinGroup => {
            let joining = membership::join(client, &header, Wire::read(&mut body, version)?);
            Ok(joined(client.clone(), header, joining))
        }
        ApiKey::SyncGroup => {
            let syncing = membership::sync(client, Wire::read(&mut body, version)?, version);
            Ok(later(header, 0, syncing))
        }
        _ => at_once(client, header, body).await,
    }
}

/// The answer to what is done when it is answered. A large one goes where it can be made anew: its turn
/// to be written may come late, and until then it would hold room that those before it may wait for.
async fn at_once(
    client: &Client,
    header: RequestHeader,
    body: Reader,
) -> Result<Answer, Malformed> {
    let octets = administer(client, &header, body.clone()).await?;
    if !header.key.is_repeatable() || body.remaining() > QUESTION {
        let due = client.service.outlet().take(octets);
        return due
            .map(Answer::Now)
            .map_err(|full| Malformed(full.to_string()));
    }
    Ok(match Due::small(octets) {
        Ok(due) => Answer::Now(due),
        Err(full) => anew(client.clone(), header, body, full),
    })
}

/// The answer to a request that was found to have a large one, made when it can be written.
fn anew(client: Client, header: RequestHeader, body: Reader, full: Full) -> Answer {
    let held = body.remaining();
    let due = async move {
        let anew = async {
            let made = administer(&client, &header, body).await;
            made.expect("the same request was read before")
        };
        client.service.outlet().make_anew(full, anew).await
    };
    Answer::Later {
        held,
        due: Box::pin(due),
    }
}

async fn administer(
    client: &Client,
    header: &RequestHeader,
    mut body: Reader,
) -> Result<BytesMut, Malformed> {
    let (body, v) = (&mut body, header.version);
    Ok(match header.key {
        ApiKey::Heartbeat => now(header, &membership::heartbeat(client, Wire::read(body, v)?)),
        ApiKey::LeaveGroup => now(header, &membership::leave(client, Wire::read(body, v)?, v)),
        ApiKey::Metadata => {
            let request = Wire::read(body, v)?;
            let _turn = match metadata::is_of_all(&request, v) {
                true => Some(client.service.turns().described().await),
                false => None,
            };
            now(header, &metadata::answer(client, request, v).await)
        }
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
        ApiKey::DescribeConfigs => {
            let _turn = client.service.turns().described().await;
            now(header, &configs::answer(client, Wire::read(body, v)?))
        }
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
) -> Result<BytesMut, Malformed> {
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
        ApiKey::DescribeLogDirs => {
            let _turn = client.service.turns().read().await;
            now(
                header,
                &log_dirs::answer(client, Wire::read(body, v)?).await,
            )
        }
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
fn now(header: &RequestHeader, response: &impl Wire) -> BytesMut {
    header.respond(header.version, response)
}

/// A response that has to wait, and holds octets meanwhile.
pub(super) fn later<T: Wire>(
    header: RequestHeader,
    held: usize,
    response: impl Future<Output = T> + Send + 'static,
) -> Answer {
    let due = async move { Due::from(now(&header, &response.await)) };
    Answer::Later {
        held,
        due: Box::pin(due),
    }
}

/// The response to a join: that of the leader has what all members said, and may be made again.
fn joined(
    client: Client,
    header: RequestHeader,
    joining: impl Future<Output = JoinGroupResponse> + Send + 'static,
) -> Answer {
    let due = async move {
        let response = joining.await;
        let made = async || now(&header, &response);
        client.service.outlet().make(made(), made()).await
    };
    Answer::Later {
        held: 0,
        due: Box::pin(due),
    }
}

/// The response to a fetch: one batch may be larger than many small answers.
fn fetching(client: Client, header: RequestHeader, request: FetchRequest, held: usize) -> Answer {
    let due = async move {
        let first = fetched(&client, &header, &request, fetch::LONGEST_WAIT);
        // The client has waited, and this holds room for which others do.
        let anew = fetched(&client, &header, &request, Duration::ZERO);
        client.service.outlet().make(first, anew).await
    };
    Answer::Later {
        held,
        due: Box::pin(due),
    }
}

async fn fetched(
    client: &Client,
    header: &RequestHeader,
    request: &FetchRequest,
    longest: Duration,
) -> BytesMut {
    let response = fetch::answer(client, request, header.version, longest).await;
    now(header, &response)
}
