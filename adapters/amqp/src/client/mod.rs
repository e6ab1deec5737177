//! AMQP 0-9-1 as a client, on `lapin`: RabbitMQ, or any broker that speaks it, as a source and a
//! destination.
//!
//! | address | source | destination |
//! |---|---|---|
//! | `amqp://user:password@host:port/VHOST?queue=Q` | consumes the queue, `prefetch=N` unsettled at most, held ones included; 1024 unless given | publishes to it through the default exchange |
//! | `…?exchange=E&key=K` | no | publishes to the exchange; without `key`, by each message's routing key, else its key |
//!
//! A publish is mandatory and confirmed: what no queue takes is an error of that message, and so is
//! what the broker closes the channel for; the messages without an answer are sent again one at a time,
//! to find it. Messages are persistent unless their producer said otherwise.

mod connect;
mod consumer;
mod drain;
mod driver;
mod failure;
mod field;
mod outstanding;
mod producer;
mod properties;
mod returned;
mod settler;
mod socket;
mod target;

#[cfg(test)]
mod tests;

pub use driver::AmqpDriver;
