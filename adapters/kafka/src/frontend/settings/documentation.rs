//! What settings are for, in a sentence each: for tools that show them to people (KIP-226).

/// By name: those of topics, then those of the broker that no topic has.
#[rustfmt::skip]
const ALL: [(&str, &str); 46] = [
    ("cleanup.policy", "What goes: what is beyond the limits of retention (delete), what a newer record of its key replaces (compact), or both."),
    ("compression.gzip.level", "How hard gzip tries where compression.type is gzip: 1 to 9, or -1 for its own level."),
    ("compression.lz4.level", "Kept as it was set, and changes nothing: lz4 has one level here."),
    ("compression.type", "How batches of Kafka's producers are compressed before they are stored; producer leaves them as they come."),
    ("compression.zstd.level", "How hard zstd tries where compression.type is zstd."),
    ("delete.retention.ms", "How long a record without a value stays on a compacted topic once what it replaces is gone."),
    ("file.delete.delay.ms", "How long Kafka keeps files that are deleted; kept as it was set, and changes nothing here."),
    ("flush.messages", "After how many messages Kafka syncs; here acks=all is answered after a sync always."),
    ("flush.ms", "After which time Kafka syncs; here acks=all is answered after a sync always."),
    ("follower.replication.throttled.replicas", "Which copies Kafka slows down; kept as it was set, and changes nothing here."),
    ("index.interval.bytes", "How dense Kafka's index of offsets is; kept as it was set, and changes nothing here."),
    ("leader.replication.throttled.replicas", "Which copies Kafka slows down; kept as it was set, and changes nothing here."),
    ("local.retention.bytes", "How much Kafka keeps besides a remote store; there are no tiers here."),
    ("local.retention.ms", "How long Kafka keeps records besides a remote store; there are no tiers here."),
    ("max.compaction.lag.ms", "After which time a record is compacted at the latest; no such time is promised here."),
    ("max.message.bytes", "The size of a batch, as it is stored, beyond which it is refused; it holds for messages of other protocols as well."),
    ("message.downconversion.enable", "Whether Kafka converts records for old clients; kept as it was set, and changes nothing here."),
    ("message.timestamp.after.max.ms", "How far ahead of the broker's clock a record may be; no record is refused for its time here."),
    ("message.timestamp.before.max.ms", "How far behind the broker's clock a record may be; no record is refused for its time here."),
    ("message.timestamp.difference.max.ms", "How far off the broker's clock a record may be; no record is refused for its time here."),
    ("message.timestamp.type", "Whose clock is in records: that of their producer."),
    ("min.cleanable.dirty.ratio", "The share of records not looked at yet from which on a large compacted log is looked at."),
    ("min.compaction.lag.ms", "How long every record stays on a compacted topic, replaced or not."),
    ("min.insync.replicas", "How many copies acks=all asks for; there is one."),
    ("preallocate", "Whether Kafka makes files in their full size; kept as it was set, and changes nothing here."),
    ("remote.log.copy.disable", "Whether Kafka stops copying to a remote store; there are no tiers here."),
    ("remote.log.delete.on.disable", "Whether Kafka deletes what is in a remote store; there are no tiers here."),
    ("remote.storage.enable", "Whether Kafka copies to a remote store; there are no tiers here."),
    ("retention.bytes", "The octets of a partition beyond which its oldest records go; -1 is no limit."),
    ("retention.ms", "The age beyond which records go; -1 is no limit."),
    ("segment.bytes", "How large Kafka's files are; kept as it was set, and changes nothing here."),
    ("segment.index.bytes", "How large Kafka's indexes are; kept as it was set, and changes nothing here."),
    ("segment.jitter.ms", "How far apart Kafka begins new files; kept as it was set, and changes nothing here."),
    ("segment.ms", "After which time Kafka begins a new file; kept as it was set, and changes nothing here."),
    ("unclean.leader.election.enable", "Whether a copy that is behind may lead at Kafka; kept as it was set, and changes nothing here."),
    ("advertised.listeners", "Where clients are told to connect to."),
    ("auto.create.topics.enable", "Whether a topic that a client names comes into being, where the client allows it."),
    ("broker.id", "The number of this broker, the only one."),
    ("default.replication.factor", "How many copies a partition has."),
    ("group.initial.rebalance.delay.ms", "How long the first rebalance of an empty group waits for more members."),
    ("group.max.session.timeout.ms", "The longest session timeout that a member of a group may ask for."),
    ("group.max.size", "How many members a group has at most."),
    ("group.min.session.timeout.ms", "The shortest session timeout that a member of a group may ask for."),
    ("log.retention.ms", "The age beyond which records of topics go that have no retention.ms of their own."),
    ("message.max.bytes", "The size beyond which a message or batch is refused on every topic."),
    ("num.partitions", "How many partitions a topic gets that is made without a number."),
];

/// The sentence for the setting of that name.
pub(in crate::frontend) fn documentation(name: &str) -> Option<&'static str> {
    let mut all = ALL.into_iter();
    all.find_map(|(one, sentence)| (one == name).then_some(sentence))
}
