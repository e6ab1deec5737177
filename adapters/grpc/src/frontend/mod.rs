//! The gRPC server: its clients talk to the broker here.

mod answers;
mod guard;
mod incoming;
mod peer;
mod publish;
mod reading;
mod receiving;
mod service;
mod subscribe;
mod unanswered;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use standpipe_core::{Error, ErrorKind, Result, broker::Broker, frontend::Frontend};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::proto::{DESCRIPTORS, standpipe_server::StandpipeServer};
use guard::Guarded;
use service::Service;

/// Octets that a request may have beyond the message limit.
const MESSAGE_SLACK: usize = 1 << 20;
/// Streams of one connection at once.
const STREAMS: u32 = 100;
/// Octets on their way to us on one stream, and on one connection.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// How often a silent peer is asked whether it is there, and how long it has to answer.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_DEADLINE: Duration = Duration::from_secs(20);
/// How long calls have to end after shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// Serves gRPC: the service, health, and reflection.
#[derive(Debug, Clone, Copy, Default)]
pub struct GrpcFrontend;

#[async_trait]
impl Frontend for GrpcFrontend {
    fn name(&self) -> &'static str {
        "grpc"
    }

    async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        broker: Broker,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let limit = broker.limits().message_bytes.saturating_add(MESSAGE_SLACK);
        let connections = broker.limits().connections;
        let service = Service::new(broker, shutdown.clone());
        let service = StandpipeServer::new(service)
            .max_decoding_message_size(limit)
            .max_encoding_message_size(usize::MAX);
        let (health, healthy) = tonic_health::server::health_reporter();
        health.set_serving::<StandpipeServer<Service>>().await;
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let descriptors = "our own descriptors are well-formed";
        let serving = Server::builder()
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE_DEADLINE))
            .tcp_nodelay(true)
            .add_service(Guarded::new(service))
            .add_service(healthy)
            .add_service(reflection().build_v1().expect(descriptors))
            .add_service(reflection().build_v1alpha().expect(descriptors))
            .serve_with_incoming_shutdown(
                incoming::incoming(listener, connections, shutdown.clone()),
                shutdown.clone().cancelled_owned(),
            );
        let late = async {
            shutdown.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = serving => served.map_err(|error| {
                Error::new(ErrorKind::Transient, "serve gRPC", error.to_string())
            }),
            () = late => Ok(()),
        }
    }
}
