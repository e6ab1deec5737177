//! `standpipe cp`: one address to another, as a route would.

use clap::Args;
use standpipe::config::Step;

use super::carry::Carry;
use crate::exit::Failure;

/// Carry messages from one address to another; each is settled after the other side confirmed it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  standpipe cp 'amqp://guest:guest@127.0.0.1:5672/%2f?queue=flights' kafka://127.0.0.1:9092/flights --drain
  standpipe cp kafka://127.0.0.1:9092/flights file:///tmp/flights.ndjson --exec 'jq -c .'
  standpipe cp 'file:///tmp/names?format=lines' standpipe://127.0.0.1:5670/names --exec-lines 'sed s/a/b/'")]
pub(crate) struct Cp {
    /// Where to read
    #[arg(allow_hyphen_values = true)]
    from: String,

    /// Where to publish
    #[arg(allow_hyphen_values = true)]
    to: String,

    /// End when everything that was there at the start is carried and confirmed
    #[arg(long)]
    drain: bool,

    /// Pipe envelopes through a shell command: JSON in, JSON out, its `seq` kept
    #[arg(long, value_name = "CMD", group = "transform")]
    exec: Option<String>,

    /// Pipe payloads through a shell command: one line out for each line in
    #[arg(long, value_name = "CMD", group = "transform")]
    exec_lines: Option<String>,
}

impl Cp {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let registry = standpipe::registry();
        let mut carry = Carry::new(&registry, &self.from, &self.to)?;
        carry.drain = self.drain;
        carry.steps.extend(self.exec.map(Step::Exec));
        carry.steps.extend(self.exec_lines.map(Step::ExecLines));
        carry.run(&registry).await
    }
}
