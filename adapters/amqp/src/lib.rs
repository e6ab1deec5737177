//! AMQP 0-9-1 for Standpipe: the codec of stored messages, the frontend that RabbitMQ's clients
//! talk to, and the client that talks to RabbitMQ.

pub mod client;
pub mod codec;
mod frontend;

pub use frontend::AmqpFrontend;
