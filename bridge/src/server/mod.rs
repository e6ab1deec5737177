//! The broker with its frontends and routes, as a part of any program.

mod bind;
mod builder;
mod frontends;
mod http;
mod pages;
mod protocol;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use standpipe_core::{Error, ErrorKind, Result, broker::Broker, driver::Registry};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub use bind::Exposure;
pub use builder::ServerBuilder;
pub use protocol::Protocol;

use bind::Bound;
use pages::ServerPages;

use crate::route::Routes;

/// How long frontends and routes may take to end once they are asked to.
const STOP_TIME: Duration = Duration::from_secs(10);

/// A broker that runs: its frontends serve, its routes carry.
#[derive(Debug)]
pub struct Server {
    broker: Broker,
    addresses: BTreeMap<Protocol, SocketAddr>,
    registry: Registry,
    routes: Routes,
    frontends: JoinSet<Result<()>>,
    stop: CancellationToken,
}

impl Server {
    /// A broker in memory that listens nowhere, until it is told otherwise.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// The broker inside.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Where a protocol is served; `None` where it is not.
    #[must_use]
    pub fn address(&self, protocol: Protocol) -> Option<SocketAddr> {
        self.addresses.get(&protocol).copied()
    }

    /// All drivers of this build; `standpipe:///TOPIC` is the broker of this server.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The routes and the state that each is in.
    #[must_use]
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Returns when a frontend fails, which none does by itself; else never. Cancel safe.
    ///
    /// # Errors
    /// What the frontend said.
    pub async fn failed(&mut self) -> Error {
        loop {
            match self.frontends.join_next().await {
                Some(Ok(Err(error))) => return error,
                Some(Err(panic)) => {
                    return Error::new(ErrorKind::Closed, "serve", panic.to_string());
                }
                Some(Ok(Ok(()))) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Ends routes, then frontends, then the broker: what was acked is kept, leases go back.
    ///
    /// # Errors
    /// What the store said when it was closed.
    pub async fn shutdown(mut self) -> Result<()> {
        self.routes.stop(STOP_TIME).await;
        self.stop.cancel();
        let ended = async { while self.frontends.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIME, ended).await.is_err() {
            tracing::warn!("connections did not end in time and are cut");
            self.frontends.abort_all();
        }
        self.broker.shutdown().await
    }

    async fn start(settings: ServerBuilder, bound: Vec<Bound>, broker: Broker) -> Result<Self> {
        let registry = crate::registry_over(&broker);
        let mut server = Self {
            addresses: bound.iter().map(|b| (b.protocol, b.address)).collect(),
            routes: Routes::prepare(&settings.routes, &registry)?,
            registry,
            broker,
            frontends: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        for Bound {
            protocol, listener, ..
        } in bound
        {
            server.serve(protocol, listener, &settings)?;
        }
        server.routes.start();
        Ok(server)
    }

    fn serve(
        &mut self,
        protocol: Protocol,
        listener: TcpListener,
        settings: &ServerBuilder,
    ) -> Result<()> {
        let (broker, stop) = (self.broker.clone(), self.stop.clone());
        if protocol == Protocol::Http {
            let pages = Arc::new(ServerPages::new(broker, self.routes.states()));
            self.frontends.spawn(async move {
                http::serve(listener, pages, stop).await;
                Ok(())
            });
            return Ok(());
        }
        let frontend = frontends::frontend(protocol, settings)?;
        self.frontends
            .spawn(async move { frontend.serve(listener, broker, stop).await });
        Ok(())
    }
}
