//! How a server is put together before it starts.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use standpipe_core::{
    Result,
    broker::{Broker, Options},
    store::{MemoryStore, Store},
};

use super::{Exposure, Protocol, Server, bind::bind_all};
use crate::{
    codecs::codecs,
    config::{Endpoint, RouteConfig},
};

/// Settings of a [`Server`]; without any it is a broker in memory that listens nowhere.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ServerBuilder {
    pub(super) data: Option<PathBuf>,
    pub(super) endpoints: BTreeMap<Protocol, Endpoint>,
    pub(super) exposure: Exposure,
    pub(super) kafka_advertise: Option<Endpoint>,
    pub(super) routes: Vec<RouteConfig>,
}

impl ServerBuilder {
    /// Keeps messages in files in `folder`, which comes into being; else they live in memory.
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Some(folder.into());
        self
    }

    /// Serves `protocol` at `endpoint`.
    pub fn listen(mut self, protocol: Protocol, endpoint: Endpoint) -> Self {
        self.endpoints.insert(protocol, endpoint);
        self
    }

    /// Who may reach the listeners; only this machine unless said otherwise.
    pub fn exposure(mut self, exposure: Exposure) -> Self {
        self.exposure = exposure;
        self
    }

    /// What Kafka's clients are told to connect to; else what they connected to.
    pub fn kafka_advertise(mut self, endpoint: Endpoint) -> Self {
        self.kafka_advertise = Some(endpoint);
        self
    }

    /// Runs routes as long as the server does.
    pub fn routes(mut self, routes: impl IntoIterator<Item = RouteConfig>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Binds every listener, opens the store, recovers what it holds, and serves.
    ///
    /// # Errors
    /// `Invalid` for a listener beyond loopback or an address of a route, `Transient` for a port
    /// that is taken, and what the store says.
    pub async fn start(self) -> Result<Server> {
        let bound = bind_all(&self.endpoints, self.exposure).await?;
        let broker = Broker::open(self.store().await?, codecs(), Options::default()).await?;
        Server::start(self, bound, broker).await
    }

    async fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(MemoryStore::new()))
    }
}
