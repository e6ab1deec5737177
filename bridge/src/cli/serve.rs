//! `standpipe serve`: the broker with its frontends and routes.

use std::path::{Path, PathBuf};

use clap::Args;
use standpipe::{
    config::{Config, Endpoint},
    server::{Exposure, Protocol, Server, ServerBuilder},
};
use standpipe_core::ErrorKind;
use tokio_util::sync::CancellationToken;

use super::serve_talk;
use crate::{
    exit::{Exit, Failure},
    open_files, signal,
};

/// Start the broker, and the routes of a configuration
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  standpipe serve
  standpipe serve --data /var/lib/standpipe --kafka off --amqp 127.0.0.1:5673
  standpipe serve --config standpipe.toml
  standpipe serve --ephemeral < pipe        in memory, on free ports, until stdin ends")]
pub(crate) struct Serve {
    /// Routes and settings, in TOML or YAML; STANDPIPE_LISTEN__AMQP and its like override it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where the store keeps its files [default: ./standpipe-data]
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    data: Option<PathBuf>,

    /// Where to serve AMQP 0-9-1 [default: 127.0.0.1:5672]
    #[arg(long, value_name = "HOST:PORT|off")]
    amqp: Option<Endpoint>,

    /// Where to serve Kafka [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT|off")]
    kafka: Option<Endpoint>,

    /// Where to serve gRPC [default: 127.0.0.1:50051]
    #[arg(long, value_name = "HOST:PORT|off")]
    grpc: Option<Endpoint>,

    /// Where to serve Standpipe's own protocol [default: 127.0.0.1:5670]
    #[arg(long, value_name = "HOST:PORT|off")]
    native: Option<Endpoint>,

    /// Where to serve /healthz, /readyz and /metrics [default: off]
    #[arg(long, value_name = "HOST:PORT|off")]
    http: Option<Endpoint>,

    /// What Kafka's clients are told to connect to [default: what they connected to]
    #[arg(long, value_name = "HOST:PORT")]
    kafka_advertise: Option<Endpoint>,

    /// Keep everything in memory, listen on free ports, print them as one JSON line, end with stdin
    #[arg(long)]
    ephemeral: bool,

    /// Allow listeners beyond this machine although nothing is encrypted or authenticated
    #[arg(long)]
    insecure: bool,
}

impl Serve {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let stop = signal::on_stop()?;
        let files = open_files::raise_limit();
        let config = Config::load(self.config.as_deref(), &standpipe::registry())
            .map_err(Failure::config)?;
        let data = self.data.clone().or_else(|| config.data.clone());
        let data = data.unwrap_or_else(|| PathBuf::from("standpipe-data"));
        let mut server = self
            .settings(config, &data)
            .open_files(files)
            .start()
            .await
            .map_err(refused)?;
        if self.ephemeral {
            serve_talk::announce(&server)?;
            end_with_stdin(stop.clone());
        } else {
            serve_talk::greet(&server, &data);
        }
        let ended = server.run(&stop).await;
        let closed = server.shutdown().await;
        ended.map_err(given_up)?;
        Ok(closed?)
    }

    fn settings(&self, config: Config, data: &Path) -> ServerBuilder {
        let mut settings = Server::builder().routes(config.routes).kafka(config.kafka);
        for protocol in Protocol::ALL {
            let endpoint = match (self.flag(protocol), self.ephemeral, protocol) {
                (Some(endpoint), ..) => endpoint.clone(),
                (None, true, Protocol::Http) => Endpoint::Off,
                (None, true, _) => Endpoint::loopback(0),
                (None, false, _) => protocol.endpoint(&config.listen),
            };
            settings = settings.listen(protocol, endpoint);
        }
        if !self.ephemeral {
            settings = settings.data(data);
        }
        if self.insecure {
            settings = settings.exposure(Exposure::Insecure);
        }
        let advertise = self
            .kafka_advertise
            .clone()
            .or(config.listen.kafka_advertise);
        match advertise {
            Some(endpoint) => settings.kafka_advertise(endpoint),
            None => settings,
        }
    }

    fn flag(&self, protocol: Protocol) -> Option<&Endpoint> {
        match protocol {
            Protocol::Amqp => self.amqp.as_ref(),
            Protocol::Kafka => self.kafka.as_ref(),
            Protocol::Grpc => self.grpc.as_ref(),
            Protocol::Native => self.native.as_ref(),
            Protocol::Http => self.http.as_ref(),
        }
    }
}

/// A refusal before anything is served: wrong settings are the configuration's fault.
fn refused(error: standpipe_core::Error) -> Failure {
    match error.kind() {
        ErrorKind::Invalid | ErrorKind::Unsupported => Failure::config(error),
        _ => error.into(),
    }
}

/// An end that nobody asked for: a store that cannot be kept open is the disk's fault.
fn given_up(error: standpipe_core::Error) -> Failure {
    match error.kind() {
        ErrorKind::Permanent => Failure::new(Exit::Io, error.to_string()),
        _ => error.into(),
    }
}

/// Whoever started us holds our stdin; when it closes, by its end or its death, so do we.
fn end_with_stdin(stop: CancellationToken) {
    tokio::spawn(async move {
        let end = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
        tracing::info!(?end, "stdin has ended");
        stop.cancel();
    });
}
