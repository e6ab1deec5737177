//! `standpipe serve`: the broker with its frontends and routes.

use std::path::PathBuf;

use clap::Args;
use standpipe::config::Endpoint;

use crate::exit::Failure;

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
        Err(Failure::usage("serve"))
    }
}
