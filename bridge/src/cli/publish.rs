//! `standpipe pub`: stdin to an address.

use std::time::Duration;

use clap::Args;
use standpipe_core::quantity::parse_duration;

use super::{carry::Carry, schedule::Schedule};
use crate::exit::Failure;

/// Publish what comes on stdin: an envelope a line, or with --lines a payload a line
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  echo hello | standpipe pub --lines standpipe://127.0.0.1:5670/greetings
  echo '{\"key\":\"AA\",\"payload\":\"x\",\"headers\":[[\"n\",{\"i64\":\"5\"}]]}' | standpipe pub kafka://127.0.0.1:9092/flights
  standpipe sub A --drain | jq -c . | standpipe pub B        copies A exactly")]
pub(crate) struct Pub {
    /// Where to publish: standpipe://, amqp://, kafka://, grpc:// or file://
    #[arg(allow_hyphen_values = true)]
    address: String,

    /// Each line of stdin is a payload, not an envelope
    #[arg(long)]
    lines: bool,

    /// Deliver each message only after this time, such as 10s, 5m or 1h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    delay: Option<Duration>,

    /// A message that nobody took within this time expires, such as 10s, 5m or 1h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    ttl: Option<Duration>,
}

impl Pub {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let registry = standpipe::registry();
        let stdin = if self.lines { "-?format=lines" } else { "-" };
        let mut carry = Carry::new(&registry, stdin, &self.address)?;
        carry.schedule = Schedule {
            delay: self.delay,
            ttl: self.ttl,
        };
        carry
            .schedule
            .check(carry.to.scheme())
            .map_err(Failure::usage)?;
        carry.run(&registry).await
    }
}
