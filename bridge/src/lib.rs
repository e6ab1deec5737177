//! Standpipe: one stored message, every protocol, both ways.
//!
//! Three ways in: a [`Pipe`] between two addresses, a whole broker with [`Server::builder`], or one
//! [`driver`] of the [`registry`] at a time. The traits to implement are
//! [`core`](standpipe_core)'s.
//!
//! ```no_run
//! # async fn run() -> standpipe::Result<()> {
//! let registry = standpipe::registry();
//! let pipe = standpipe::Pipe::builder()
//!     .from_address(&registry, "amqp://guest:guest@127.0.0.1:5672/%2f?queue=flights")?
//!     .to_address(&registry, "kafka://127.0.0.1:9092/flights")?
//!     .build()?;
//! pipe.run(standpipe::CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```

mod codecs;
mod drivers;

pub mod config;
pub mod ends;
pub mod route;
pub mod server;

pub use codecs::codecs;
pub use drivers::{registry, registry_over};
pub use server::Server;

pub use standpipe_core::{
    Error, ErrorKind, Result,
    broker::Broker,
    driver::{self, Outcome, Transform},
    layer::TokenBucket,
    message::Message,
    pipe::Pipe,
};
pub use tokio_util::sync::CancellationToken;
