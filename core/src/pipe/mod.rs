//! The pipe: consumer → transforms → producer, and nothing settled before it is confirmed.
//!
//! Read in this order: [`Pipe`] and its builder, the reader (takes from the source as far as the
//! memory budget goes), the flow (pure: what is to be sent, held, settled), the session (the loop
//! that carries the flow's wishes out). Retry with jittered backoff lives here and nowhere else.
//!
//! ```no_run
//! # use standpipe_core::{driver::Registry, error::Result, layer::TokenBucket, pipe::Pipe};
//! # async fn run(registry: Registry) -> Result<()> {
//! let pipe = Pipe::builder()
//!     .from_address(&registry, "amqp://127.0.0.1/%2f?queue=flights")?
//!     .to_address(&registry, "kafka://127.0.0.1:9092/flights")?
//!     .layer(TokenBucket::per_second(1_000))
//!     .build()?;
//! let summary = pipe.run(tokio_util::sync::CancellationToken::new()).await?;
//! # drop(summary);
//! # Ok(())
//! # }
//! ```

mod backoff;
mod budget;
mod builder;
mod counts;
mod dead_letter;
mod ends;
mod flow;
mod job;
mod lane_queue;
mod reader;
mod reopening;
mod run;
mod session;
mod settings;
mod state;

pub use backoff::Backoff;
pub use builder::{Builder, Pipe};
pub use counts::{Counts, Summary};
pub use ends::{Destination, Source, settling_of};
pub use settings::{FirstOpen, Limits, OnRefused, Order};
pub use state::State;

#[cfg(test)]
mod tests;
