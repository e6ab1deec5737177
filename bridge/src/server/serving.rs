//! A broker with its frontends and routes, from one opening of the store to its end.

use std::{net::TcpListener, sync::Arc, time::Duration};

use standpipe_core::{Error, ErrorKind, Result, broker::Broker, driver::Registry};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Protocol, ServerBuilder, frontends, http, pages::ServerPages};
use crate::route::Routes;

/// How long frontends and routes may take to end once they are asked to.
const STOP_TIME: Duration = Duration::from_secs(10);

/// What runs on top of one store.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) broker: Broker,
    pub(super) registry: Registry,
    pub(super) routes: Routes,
    frontends: JoinSet<Result<()>>,
    stop: CancellationToken,
}

/// Why a server cannot go on as it is.
pub(super) enum Trouble {
    /// A frontend ended, which none does by itself.
    Frontend(Error),
    /// The store must be opened again.
    Store(Error),
}

impl Serving {
    /// Serves on `listeners`, which stay with the caller too.
    pub(super) fn start(
        settings: &ServerBuilder,
        listeners: &[(Protocol, TcpListener)],
        broker: Broker,
    ) -> Result<Self> {
        let registry = crate::registry_over(&broker);
        let mut serving = Self {
            routes: Routes::prepare(&settings.routes, &registry)?,
            registry,
            broker,
            frontends: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        for (protocol, listener) in listeners {
            serving.serve(*protocol, listener, settings)?;
        }
        serving.routes.start();
        Ok(serving)
    }

    /// Returns when a frontend or the store fails; else never. Cancel safe.
    pub(super) async fn trouble(&mut self) -> Trouble {
        let Self {
            broker, frontends, ..
        } = self;
        tokio::select! {
            error = first_failure(frontends) => Trouble::Frontend(error),
            error = broker.failed() => Trouble::Store(error),
        }
    }

    /// Ends routes, then frontends, then the broker. Idempotent.
    ///
    /// # Errors
    /// What the store said when it was closed.
    pub(super) async fn stop(&mut self) -> Result<()> {
        self.routes.stop(STOP_TIME).await;
        self.stop.cancel();
        let ended = async { while self.frontends.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIME, ended).await.is_err() {
            tracing::warn!("connections did not end in time and are cut");
            self.frontends.abort_all();
        }
        self.broker.shutdown().await
    }

    fn serve(
        &mut self,
        protocol: Protocol,
        listener: &TcpListener,
        settings: &ServerBuilder,
    ) -> Result<()> {
        let listener = listener
            .try_clone()
            .and_then(tokio::net::TcpListener::from_std)
            .map_err(|error| {
                let message = format!("cannot serve {protocol} on its listener");
                Error::new(ErrorKind::Transient, "listen", message).with_source(error)
            })?;
        let (broker, stop) = (self.broker.clone(), self.stop.clone());
        if protocol == Protocol::Http {
            let connections = settings.health_connections();
            let pages = Arc::new(ServerPages::new(broker, self.routes.states()));
            self.frontends.spawn(async move {
                http::serve(listener, pages, connections, stop).await;
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

async fn first_failure(frontends: &mut JoinSet<Result<()>>) -> Error {
    loop {
        match frontends.join_next().await {
            Some(Ok(Err(error))) => return error,
            Some(Err(panic)) => return Error::new(ErrorKind::Closed, "serve", panic.to_string()),
            Some(Ok(Ok(()))) => {}
            None => std::future::pending().await,
        }
    }
}
