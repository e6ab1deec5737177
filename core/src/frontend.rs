//! The seam for protocols that clients speak to this broker.

mod answers;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use answers::{ANSWER_TIME, AnswerTurn, AnswerTurns};

use crate::{broker::Broker, error::Result};

/// Serves one protocol on a listener that its caller has bound.
#[async_trait]
pub trait Frontend: Send + Sync + 'static {
    /// The protocol's name, as in `[listen]`: `amqp`, `kafka`, `grpc`, `native`.
    fn name(&self) -> &'static str;

    /// Serves until `shutdown`, then lets connections end and returns. A connection's failure is
    /// its own; this fails only where the listener does.
    ///
    /// # Errors
    /// `Transient` where the listener cannot accept any more.
    async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        broker: Broker,
        shutdown: CancellationToken,
    ) -> Result<()>;
}
