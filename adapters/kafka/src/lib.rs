//! Kafka for Standpipe: the codec of record batches, and the frontend that Kafka's clients talk to.

pub mod codec;
mod frontend;

pub use frontend::KafkaFrontend;
