//! Kafka for Standpipe: the codec of record batches, and the frontend that Kafka's clients talk to,
//! and the client that talks to Kafka.

pub mod client;
pub mod codec;
mod frontend;

pub use frontend::{AutoCreate, KafkaFrontend, KafkaOptions};
