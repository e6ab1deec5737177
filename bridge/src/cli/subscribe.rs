//! `standpipe sub`: an address to stdout.

use std::num::NonZeroU64;

use clap::Args;

use super::carry::Carry;
use crate::exit::Failure;

/// Print messages as they come, an envelope a line; each is settled after its line is written
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  standpipe sub standpipe://127.0.0.1:5670/greetings --lines
  standpipe sub 'kafka://127.0.0.1:9092/flights?from=earliest' --drain | jq -r .payload
  standpipe sub 'amqp://guest:guest@127.0.0.1:5672/%2f?queue=q' --count 10")]
pub(crate) struct Sub {
    /// Where to read: standpipe://, amqp://, kafka://, grpc:// or file://
    #[arg(allow_hyphen_values = true)]
    address: String,

    /// End when everything that was there at the start is printed
    #[arg(long)]
    drain: bool,

    /// End after so many messages
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,

    /// Print payloads, not envelopes; one that has a line break is an error
    #[arg(long)]
    lines: bool,
}

impl Sub {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let registry = standpipe::registry();
        let stdout = if self.lines { "-?format=lines" } else { "-" };
        let mut carry = Carry::new(&registry, &self.address, stdout)?;
        carry.drain = self.drain;
        carry.count = self.count;
        carry.run(&registry).await
    }
}
