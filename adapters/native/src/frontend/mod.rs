//! The native protocol's server: its clients talk to the broker here.

mod accept;
mod connection;
mod describe;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use standpipe_core::{Result, broker::Broker, frontend::Frontend};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves the native protocol.
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeFrontend;

#[async_trait]
impl Frontend for NativeFrontend {
    fn name(&self) -> &'static str {
        "native"
    }

    async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        broker: Broker,
        shutdown: CancellationToken,
    ) -> Result<()> {
        accept::accept(listener, broker, shutdown).await
    }
}
