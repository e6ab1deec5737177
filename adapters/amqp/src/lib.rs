//! AMQP 0-9-1 for Standpipe: the codec of stored messages, and the frontend that RabbitMQ's
//! clients talk to.

pub mod codec;
mod frontend;

pub use frontend::AmqpFrontend;
