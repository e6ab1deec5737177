//! Where a topic's setting comes from where it is not set on the topic: the setting of Kafka's broker.

/// Settings of topics whose name at the broker is not theirs with `log.` in front (`ServerTopicConfigSynonyms`).
#[rustfmt::skip]
const OTHERS: [(&str, &str); 19] = [
    ("compression.gzip.level", "compression.gzip.level"),
    ("compression.lz4.level", "compression.lz4.level"),
    ("compression.type", "compression.type"),
    ("compression.zstd.level", "compression.zstd.level"),
    ("delete.retention.ms", "log.cleaner.delete.retention.ms"),
    ("file.delete.delay.ms", "log.segment.delete.delay.ms"),
    ("flush.messages", "log.flush.interval.messages"),
    ("flush.ms", "log.flush.interval.ms"),
    ("follower.replication.throttled.replicas", ""),
    ("leader.replication.throttled.replicas", ""),
    ("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("max.message.bytes", "message.max.bytes"),
    ("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"),
    ("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"),
    ("min.insync.replicas", "min.insync.replicas"),
    ("segment.index.bytes", "log.index.size.max.bytes"),
    ("segment.jitter.ms", "log.roll.jitter.ms"),
    ("segment.ms", "log.roll.ms"),
    ("unclean.leader.election.enable", "unclean.leader.election.enable"),
];

/// The broker's name of a topic's setting; `None` where the broker has none.
pub(in crate::frontend) fn at_broker(name: &str) -> Option<String> {
    match OTHERS.iter().find(|(topic, _)| *topic == name) {
        Some((_, "")) => None,
        Some((_, broker)) => Some((*broker).to_owned()),
        None if name.starts_with("remote.") => None,
        None => Some(format!("log.{name}")),
    }
}
