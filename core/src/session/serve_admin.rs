//! Administration over a broker.

use super::{AdminReply, AdminRequest};
use crate::{
    broker::{Broker, DEFAULT_NAMESPACE, Mode, QUEUE, Subscription, Topic, TopicSpec},
    driver::{NewTopic, PartitionInfo, SubscriptionInfo, TopicInfo},
    error::{Error, ErrorKind, Result},
    id::PartitionId,
    store::Durability,
};

/// Does what is asked.
///
/// # Errors
/// `NotFound`, `Exists`, `Invalid` for a bad name or setting, and the store's.
pub async fn serve_admin(broker: &Broker, request: AdminRequest) -> Result<AdminReply> {
    match request {
        AdminRequest::List => {
            let topics = broker.topics(DEFAULT_NAMESPACE);
            Ok(AdminReply::Topics(
                topics.iter().map(|t| summary(t)).collect(),
            ))
        }
        AdminRequest::Describe(name) => {
            let topic = find(broker, &name)?;
            let info = describe(&topic).await?;
            Ok(AdminReply::Topic(Box::new(info)))
        }
        AdminRequest::Create(topic) => {
            broker.create_topic(spec(topic)?).await?;
            Ok(AdminReply::Done)
        }
        AdminRequest::Purge(name) => {
            let queue = find(broker, &name)?.subscription(QUEUE).ok_or_else(|| {
                let message =
                    format!("topic `{name}` has no queue to purge; delete the topic instead");
                Error::new(ErrorKind::NotFound, "purge topic", message)
            })?;
            queue.purge().await.map(AdminReply::Purged)
        }
        AdminRequest::Delete(name) => {
            broker.delete_topic(DEFAULT_NAMESPACE, &name).await?;
            Ok(AdminReply::Done)
        }
    }
}

fn find(broker: &Broker, name: &str) -> Result<std::sync::Arc<Topic>> {
    broker.topic(DEFAULT_NAMESPACE, name).ok_or_else(|| {
        let message = format!("no topic `{name}`; create it, or publish to it");
        Error::new(ErrorKind::NotFound, "find topic", message)
    })
}

fn summary(topic: &Topic) -> TopicInfo {
    let spec = topic.spec();
    TopicInfo {
        name: spec.name,
        retention: Some(spec.retention.to_string()),
        durability: Some(durability_text(spec.durability).to_owned()),
        ..TopicInfo::default()
    }
}

async fn describe(topic: &Topic) -> Result<TopicInfo> {
    let mut info = summary(topic);
    for partition in (0..topic.partition_count()).map(PartitionId) {
        let bounds = topic.bounds(partition)?;
        info.partitions.push(PartitionInfo {
            start: bounds.start.0,
            end: bounds.stable.0,
            octets: topic.octets(partition).await?,
        });
    }
    let subscriptions = topic.subscriptions();
    let described = subscriptions
        .iter()
        .map(|one| subscription(one, &info.partitions));
    info.subscriptions = described.collect();
    info.held_by = topic.holder().map(|holder| holder.name().to_string());
    Ok(info)
}

fn subscription(subscription: &Subscription, partitions: &[PartitionInfo]) -> SubscriptionInfo {
    let counts = subscription.counts();
    let floors = (0..).map(PartitionId).zip(partitions).map(|(at, bounds)| {
        let floor = subscription.floor(at).map_or(bounds.start, |floor| floor.0);
        floor.max(bounds.start)
    });
    let floors: Vec<_> = floors.collect();
    let lag = floors.iter().zip(partitions);
    let lag = lag.map(|(floor, bounds)| bounds.end.saturating_sub(*floor));
    let (mode, ready) = match subscription.mode() {
        Mode::Positional => ("positional", lag.sum()),
        Mode::Lease => ("lease", counts.ready),
        Mode::Keyed => ("keyed", counts.ready),
    };
    SubscriptionInfo {
        name: subscription.name().to_string(),
        mode: mode.to_owned(),
        ready,
        leased: counts.leased,
        consumers: counts.consumers as u64,
        floors,
        lost: subscription.lost(),
    }
}

fn spec(topic: NewTopic) -> Result<TopicSpec> {
    let mut spec = TopicSpec::new(DEFAULT_NAMESPACE, topic.name);
    if let Some(partitions) = topic.partitions {
        spec.partitions = partitions.get();
    }
    if let Some(retention) = &topic.retention {
        spec.retention = retention.parse()?;
    }
    if let Some(durability) = &topic.durability {
        spec.durability = parse_durability(durability)?;
    }
    Ok(spec)
}

fn parse_durability(text: &str) -> Result<Durability> {
    match text {
        "memory" => Ok(Durability::Memory),
        "os" => Ok(Durability::Os),
        "disk" => Ok(Durability::Disk),
        _ => {
            let message = format!("durability `{text}`; use memory, os or disk");
            Err(Error::new(ErrorKind::Invalid, "create topic", message))
        }
    }
}

fn durability_text(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory",
        Durability::Os => "os",
        Durability::Disk => "disk",
    }
}
