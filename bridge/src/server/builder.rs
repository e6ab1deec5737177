//! How a server is put together before it starts.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use futures::future::BoxFuture;
use standpipe_core::{
    Error, ErrorKind, Result,
    broker::{Broker, Options},
    store::{MemoryStore, Store},
};

use super::{Exposure, Protocol, Server, bind::bind_all, room};
use crate::{
    codecs::codecs,
    config::{Endpoint, KafkaConfig, RouteConfig},
};

type Opening = BoxFuture<'static, Result<Arc<dyn Store>>>;

/// Opens a store, as often as it is asked to.
#[derive(Clone)]
struct Opener(Arc<dyn Fn() -> Opening + Send + Sync>);

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}

/// Settings of a [`Server`]; without any it is a broker in memory that listens nowhere.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ServerBuilder {
    store: Option<Opener>,
    pub(super) endpoints: BTreeMap<Protocol, Endpoint>,
    pub(super) exposure: Exposure,
    open_files: Option<u64>,
    pub(super) kafka_advertise: Option<Endpoint>,
    pub(super) kafka: KafkaConfig,
    pub(super) routes: Vec<RouteConfig>,
}

impl ServerBuilder {
    /// Keeps messages in files in `folder`, which comes into being; else they live in memory.
    pub fn data(self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        self.store(move || open_store(folder.clone()))
    }

    /// Keeps messages in the store that `open` gives. It is asked again after that one failed:
    /// see [`Store::failed`].
    pub fn store<F, O>(mut self, open: F) -> Self
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = Result<Arc<dyn Store>>> + Send + 'static,
    {
        self.store = Some(Opener(Arc::new(move || Box::pin(open()))));
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

    /// How many files the process may have open; `None` is no limit. Listeners let in as many
    /// connections as that leaves, after what the store and the rest need.
    pub fn open_files(mut self, limit: Option<u64>) -> Self {
        self.open_files = limit;
        self
    }

    /// What Kafka's clients are told to connect to; else what they connected to.
    pub fn kafka_advertise(mut self, endpoint: Endpoint) -> Self {
        self.kafka_advertise = Some(endpoint);
        self
    }

    /// What the Kafka frontend is set to.
    pub fn kafka(mut self, settings: KafkaConfig) -> Self {
        self.kafka = settings;
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
        Server::start(self, bound).await
    }

    /// Opens the store, and a broker on it.
    pub(super) async fn open(&self) -> Result<Broker> {
        let mut options = Options::default();
        let limits = &mut options.limits;
        limits.connections =
            room::connections(self.open_files, self.listeners(), limits.connections);
        let store = match &self.store {
            Some(Opener(open)) => open().await?,
            None => Arc::new(MemoryStore::bounded(options.limits.memory_bytes)),
        };
        Broker::open(store, codecs(), options).await
    }

    /// Connections of health.
    pub(super) fn health_connections(&self) -> usize {
        room::of_health(self.open_files)
    }

    /// How many listeners share the connections; health has its own few.
    fn listeners(&self) -> usize {
        let served = self.endpoints.iter().filter(|(protocol, endpoint)| {
            **protocol != Protocol::Http && **endpoint != Endpoint::Off
        });
        served.count()
    }
}

/// Opens the native store away from the runtime: it reads its whole journal.
#[cfg(feature = "native")]
async fn open_store(folder: PathBuf) -> Result<Arc<dyn Store>> {
    use standpipe_native::store::{NativeStore, StoreOptions};
    let open = move || NativeStore::open(folder, StoreOptions::default());
    let opened = tokio::task::spawn_blocking(open).await.map_err(|panic| {
        let message = "opening the store panicked";
        Error::new(ErrorKind::Corrupt, "open store", message).with_source(panic)
    })?;
    Ok(opened?)
}

#[cfg(not(feature = "native"))]
async fn open_store(folder: PathBuf) -> Result<Arc<dyn Store>> {
    let folder = folder.display();
    let message = format!("no store for files in {folder}; build with the feature `native`");
    Err(Error::new(ErrorKind::Unsupported, "open store", message))
}
