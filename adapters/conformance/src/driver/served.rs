//! A driver against this project's own frontend of its protocol, over a broker in memory.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use standpipe_core::{
    Error, ErrorKind, Result,
    broker::{Broker, DEFAULT_NAMESPACE, Options, QueueSpec},
    codec::Codecs,
    driver::Driver,
    frontend::Frontend,
    store::MemoryStore,
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Ends, Subject};

/// A frontend on a free port of loopback, and the driver that speaks its protocol. Stops when dropped.
pub struct Served {
    driver: Arc<dyn Driver>,
    broker: Broker,
    at: SocketAddr,
    ends: fn(SocketAddr, &str) -> (String, String),
    places: AtomicU32,
    _stop: DropGuard,
}

impl Served {
    /// Serves `frontend` and tries `driver` on it; `ends` makes the addresses to write to and to
    /// read from, of a queue and topic of that name.
    ///
    /// # Errors
    /// As [`Broker::open`]; `Transient` where no port can be had.
    pub async fn start(
        frontend: Arc<dyn Frontend>,
        driver: Arc<dyn Driver>,
        codecs: Codecs,
        ends: fn(SocketAddr, &str) -> (String, String),
    ) -> Result<Self> {
        let store = Arc::new(MemoryStore::new());
        let broker = Broker::open(store, codecs, Options::default()).await?;
        let no_port = |error: std::io::Error| {
            Error::new(ErrorKind::Transient, "listen", "no port on loopback").with_source(error)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
        let at = listener.local_addr().map_err(no_port)?;
        let stop = CancellationToken::new();
        tokio::spawn(frontend.serve(listener, broker.clone(), stop.clone()));
        Ok(Self {
            driver,
            broker,
            at,
            ends,
            places: AtomicU32::new(0),
            _stop: stop.drop_guard(),
        })
    }
}

#[async_trait]
impl Subject for Served {
    fn driver(&self) -> Arc<dyn Driver> {
        self.driver.clone()
    }

    async fn fresh(&self) -> Ends {
        let name = format!("place-{}", self.places.fetch_add(1, Ordering::Relaxed));
        let queue = QueueSpec::new(DEFAULT_NAMESPACE, name.clone());
        let declared = self.broker.declare_queue(queue).await;
        declared.expect("a new name on a broker in memory");
        let (to, from) = (self.ends)(self.at, &name);
        Ends {
            to: to.parse().expect("the subject makes addresses"),
            from: from.parse().expect("the subject makes addresses"),
        }
    }
}
