//! Administration over a broker.

use super::{AdminReply, AdminRequest};
use crate::{
    broker::{Broker, DEFAULT_NAMESPACE, Mode, QUEUE, Retention, Subscription, Topic, TopicSpec},
    driver::{NewTopic, PartitionInfo, SubscriptionInfo, TopicInfo},
    error::{Error, ErrorKind, Result},
    id::PartitionId,
    store::Durability,
};

/// Does what is asked.
///
/// # Errors
/// `NotFound`, `Exists`, `Invalid` for a bad name or setting, `Unsupported` for a retention that is
/// not implemented, and the store's.
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
            describe(&topic).map(|info| AdminReply::Topic(Box::new(info)))
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
        retention: Some(retention_text(spec.retention)),
        durability: Some(durability_text(spec.durability).to_owned()),
        ..TopicInfo::default()
    }
}

fn describe(topic: &Topic) -> Result<TopicInfo> {
    let mut info = summary(topic);
    for partition in (0..topic.partition_count()).map(PartitionId) {
        let bounds = topic.bounds(partition)?;
        info.partitions.push(PartitionInfo {
            start: bounds.start.0,
            end: bounds.stable.0,
        });
    }
    let subscriptions = topic.subscriptions();
    let described = subscriptions
        .iter()
        .map(|one| subscription(one, &info.partitions));
    info.subscriptions = described.collect();
    if topic.spec().retention == Retention::Settled {
        let behind = |one: &&SubscriptionInfo| -> u64 { one.floors.iter().sum() };
        let holder = info.subscriptions.iter().min_by_key(behind);
        info.held_by = holder.map(|one| one.name.clone());
    }
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
    }
}

fn spec(topic: NewTopic) -> Result<TopicSpec> {
    let mut spec = TopicSpec::new(DEFAULT_NAMESPACE, topic.name);
    if let Some(partitions) = topic.partitions {
        spec.partitions = partitions.get();
    }
    if let Some(retention) = &topic.retention {
        spec.retention = parse_retention(retention)?;
    }
    if let Some(durability) = &topic.durability {
        spec.durability = parse_durability(durability)?;
    }
    Ok(spec)
}

const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

fn parse_retention(text: &str) -> Result<Retention> {
    let refused = |kind, message: String| Err(Error::new(kind, "create topic", message));
    match text {
        "settled" => return Ok(Retention::Settled),
        "forever" => return Ok(Retention::Forever),
        "compact" => {
            let message = "retention `compact` is not implemented yet; use settled, forever, or 7d";
            return refused(ErrorKind::Unsupported, message.to_owned());
        }
        _ => {}
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let of_time = UNITS.iter().find(|(name, _)| *name == unit);
    let of_size = [
        "B", "KiB", "MiB", "GiB", "TiB", "kB", "KB", "MB", "GB", "TB",
    ]
    .contains(&unit);
    match (number.parse::<u64>(), of_time) {
        (Ok(count), Some((_, millis))) => Ok(Retention::Time {
            ms: count.saturating_mul(*millis),
        }),
        (Ok(_), None) if of_size => {
            let message = format!(
                "retention by size (`{text}`) is not implemented yet; use a time such as 7d"
            );
            refused(ErrorKind::Unsupported, message)
        }
        _ => {
            let message = format!("retention `{text}`; use settled, forever, or a time such as 7d");
            refused(ErrorKind::Invalid, message)
        }
    }
}

fn retention_text(retention: Retention) -> String {
    match retention {
        Retention::Settled => "settled".to_owned(),
        Retention::Forever => "forever".to_owned(),
        Retention::Time { ms } => {
            let whole = |unit: &&(&str, u64)| unit.0 != "w" && ms % unit.1 == 0;
            let (name, millis) = UNITS.iter().rev().find(whole).unwrap_or(&UNITS[0]);
            format!("{}{name}", ms / millis)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_reads_back_as_it_was_written() {
        for text in ["settled", "forever", "7d", "90s", "1500ms"] {
            assert_eq!(retention_text(parse_retention(text).unwrap()), text);
        }
        let default = std::time::Duration::from_hours(7 * 24).as_millis() as u64;
        assert_eq!(retention_text(Retention::Time { ms: default }), "7d");
    }

    #[test]
    fn retention_that_is_not_implemented_is_refused() {
        for (text, kind) in [
            ("compact", ErrorKind::Unsupported),
            ("10GiB", ErrorKind::Unsupported),
            ("soon", ErrorKind::Invalid),
            ("", ErrorKind::Invalid),
        ] {
            assert_eq!(parse_retention(text).unwrap_err().kind(), kind, "{text}");
        }
    }
}
