//! Kafka as a client, on `rdkafka`: Apache Kafka, or any broker that speaks its protocol, as a
//! source and a destination.
//!
//! | address | source | destination |
//! |---|---|---|
//! | `kafka://host:port,host:port/TOPIC` | every partition, from `from=`; remembers nothing | idempotent, acks=all |
//! | `…/TOPIC?group=G` | the partitions that the group gives it, from its committed offsets | the same |
//!
//! A source's lanes are partitions. Acks may come in any order; what is committed is the end of the
//! contiguous run of acked messages, so no commit skips a message that is not settled.

mod assignment;
mod buffer;
mod consumer;
mod context;
mod drain;
mod driver;
mod failure;
mod limit;
mod poller;
mod prefix;
mod producer;
mod reach;
mod record;
mod settings;
mod settler;
mod start;

#[cfg(test)]
mod tests;

pub use driver::KafkaDriver;
