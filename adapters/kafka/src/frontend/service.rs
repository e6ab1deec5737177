//! What all connections of the frontend share.

use std::{net::SocketAddr, sync::Arc};

use standpipe_core::{
    Result,
    broker::{Broker, DEFAULT_NAMESPACE},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    KafkaFrontend, KafkaOptions, coordinator::Groups, intake::Intake, outlet::Outlet, turns::Turns,
    workers::Workers,
};
use crate::codec::api::metadata::BrokerNode;

/// The number of the only broker.
pub(super) const NODE: i32 = 1;
/// Where Kafka's topics are.
pub(super) const NAMESPACE: &str = DEFAULT_NAMESPACE;

/// The broker, its groups, and who it says it is.
#[derive(Debug)]
pub(super) struct Service {
    broker: Broker,
    groups: Arc<Groups>,
    cluster_id: String,
    settings: KafkaFrontend,
    intake: Intake,
    outlet: Outlet,
    turns: Turns,
    workers: Workers,
}

impl Service {
    /// Takes up the groups that have offsets, and the cluster's id, which lives with the store.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn open(broker: Broker, settings: KafkaFrontend) -> Result<Self> {
        let name = || Uuid::new_v4().simple().to_string();
        let cluster_id = broker.persistent_name("kafka-cluster-id", name).await?;
        let groups = Groups::new(broker.clone(), settings.options.groups.clone());
        Ok(Self {
            groups: Arc::new(groups),
            broker,
            cluster_id,
            settings,
            intake: Intake::default(),
            outlet: Outlet::default(),
            turns: Turns::default(),
            workers: Workers::default(),
        })
    }

    /// The broker.
    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The consumer groups.
    pub(super) fn groups(&self) -> &Arc<Groups> {
        &self.groups
    }

    /// Who we are, over restarts.
    pub(super) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// What the frontend is set to.
    pub(super) fn options(&self) -> &KafkaOptions {
        &self.settings.options
    }

    /// Room for requests that are being received.
    pub(super) fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Room for answers that are not written yet.
    pub(super) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Turns to make the largest answers.
    pub(super) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Who does what would hold up other connections.
    pub(super) fn workers(&self) -> &Workers {
        &self.workers
    }
}

/// One connection, as those see it who answer its requests.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// What it shares with others.
    pub(super) service: Arc<Service>,
    /// The address that it connected to.
    pub(super) local: SocketAddr,
    /// Where it connects from.
    pub(super) peer: SocketAddr,
    /// Cancelled when it has left, or the broker stops: nothing is worth waiting for then.
    pub(super) gone: CancellationToken,
}

impl Client {
    /// The broker.
    pub(super) fn broker(&self) -> &Broker {
        self.service.broker()
    }

    /// The one broker of the cluster, where this client can reach it.
    pub(super) fn node(&self) -> BrokerNode {
        let here = || (self.local.ip().to_string(), self.local.port());
        let (host, port) = self
            .service
            .settings
            .advertised
            .clone()
            .unwrap_or_else(here);
        BrokerNode {
            node_id: NODE,
            host,
            port: i32::from(port),
            rack: None,
        }
    }
}
