//! The broker with its frontends and routes, as a part of any program.

mod bind;
mod builder;
mod frontends;
mod http;
mod pages;
mod protocol;
mod reopen;
mod room;
mod serving;

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
};

use standpipe_core::{Result, broker::Broker, driver::Registry};
use tokio_util::sync::CancellationToken;

pub use bind::Exposure;
pub use builder::ServerBuilder;
pub use protocol::Protocol;

use bind::Bound;
use reopen::Failures;
use serving::{Serving, Trouble};

use crate::route::Routes;

/// A broker that runs: its frontends serve, its routes carry.
#[derive(Debug)]
pub struct Server {
    settings: ServerBuilder,
    addresses: BTreeMap<Protocol, SocketAddr>,
    /// Kept beside the frontends' own handles, so that connections wait while the store reopens.
    listeners: Vec<(Protocol, TcpListener)>,
    serving: Serving,
}

impl Server {
    /// A broker in memory that listens nowhere, until it is told otherwise.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// The broker inside; another one once the store was opened again.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.serving.broker
    }

    /// Where a protocol is served; `None` where it is not.
    #[must_use]
    pub fn address(&self, protocol: Protocol) -> Option<SocketAddr> {
        self.addresses.get(&protocol).copied()
    }

    /// All drivers of this build; `standpipe:///TOPIC` is the broker of this server.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.serving.registry
    }

    /// The routes and the state that each is in.
    #[must_use]
    pub fn routes(&self) -> &Routes {
        &self.serving.routes
    }

    /// Serves until `stop`. Where the store fails, connections end, it is opened again, and the
    /// same listeners are served from it. [`Server::shutdown`] comes next, however this ends.
    ///
    /// # Errors
    /// `Permanent` where the store fails again and again; what a frontend said that failed.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<()> {
        let mut failures = Failures::default();
        let serving = async {
            loop {
                match self.serving.trouble().await {
                    Trouble::Frontend(error) => return Err(error),
                    Trouble::Store(error) => self.reopen(&mut failures, error).await?,
                }
            }
        };
        stop.run_until_cancelled(serving).await.unwrap_or(Ok(()))
    }

    /// Ends routes, then frontends, then the broker: what was acked is kept, leases go back.
    ///
    /// # Errors
    /// What the store said when it was closed.
    pub async fn shutdown(mut self) -> Result<()> {
        self.listeners.clear();
        self.serving.stop().await
    }

    async fn start(settings: ServerBuilder, bound: Vec<Bound>) -> Result<Self> {
        let broker = settings.open().await?;
        let addresses = bound.iter().map(|b| (b.protocol, b.address)).collect();
        let listeners = bound.into_iter().map(Bound::into_std);
        let listeners = listeners.collect::<Result<Vec<_>>>()?;
        Ok(Self {
            serving: Serving::start(&settings, &listeners, broker)?,
            settings,
            addresses,
            listeners,
        })
    }
}
