//! The Kafka frontend: what Kafka's clients connect to.
//!
//! A connection (`connection`) reads requests one by one and acts on each in order (`dispatch`);
//! what has to wait (a confirm, a long poll, a rebalance) waits in the answer, and answers leave in
//! order too. Produce path: `connection` → `dispatch` → `produce`. Fetch path: `dispatch` →
//! `fetch` → `batches`.

mod alter_configs;
mod backlog;
mod batches;
mod by_time;
mod cluster;
mod collisions;
mod config_resources;
mod configs;
mod connection;
mod coordinator;
mod delete_records;
mod dispatch;
mod distinct;
mod epochs;
mod failure;
mod failures;
mod fetch;
mod groups;
mod inbox;
mod intake;
mod list_offsets;
mod log_dirs;
mod membership;
mod metadata;
mod names;
mod offset_delete;
mod offsets;
mod operations;
mod options;
mod outlet;
mod pages;
mod partitions;
mod prepare;
mod produce;
mod producer_id;
mod producers;
mod replicas;
mod service;
mod settings;
mod topics;
mod turns;
mod visible;
mod workers;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use standpipe_core::{Result, broker::Broker, frontend::Frontend};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use options::{AutoCreate, KafkaOptions};
use service::Service;

/// How long accepting rests after it failed, which is when file descriptors ran out.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Serves the Kafka protocol: one broker, number 1, which leads every partition.
#[derive(Debug, Clone, Default)]
pub struct KafkaFrontend {
    advertised: Option<(String, u16)>,
    options: KafkaOptions,
}

impl KafkaFrontend {
    /// A frontend that tells each client the address that the client itself connected to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells every client to connect to `host` and `port`: for brokers behind a proxy or NAT.
    #[must_use]
    pub fn advertise(mut self, host: impl Into<String>, port: u16) -> Self {
        self.advertised = Some((host.into(), port));
        self
    }

    /// Sets what Kafka's broker has as settings.
    #[must_use]
    pub fn options(mut self, options: KafkaOptions) -> Self {
        self.options = options;
        self
    }
}

#[async_trait]
impl Frontend for KafkaFrontend {
    fn name(&self) -> &'static str {
        "kafka"
    }

    async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        broker: Broker,
        shutdown: CancellationToken,
    ) -> Result<()> {
        // Further ones wait to be accepted.
        let places = Arc::new(Semaphore::new(broker.limits().connections));
        let service = Arc::new(Service::open(broker, (*self).clone()).await?);
        // Both end with this future, however that ends: neither keeps an old broker in memory.
        let _timers = AbortOnDropHandle::new(tokio::spawn(service.groups().clone().run()));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &places) => accepted,
                Some(_) = connections.join_next() => continue,
                () = shutdown.cancelled() => break,
            };
            match accepted {
                Ok((socket, peer, place)) => {
                    let serving =
                        connection::serve(socket, peer, service.clone(), shutdown.child_token());
                    connections.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(
    tokio::net::TcpStream,
    std::net::SocketAddr,
    tokio::sync::OwnedSemaphorePermit,
)> {
    let place = places.clone().acquire_owned().await;
    let place = place.expect("the semaphore is never closed");
    let (socket, peer) = listener.accept().await?;
    Ok((socket, peer, place))
}
