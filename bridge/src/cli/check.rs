//! `standpipe check`: a configuration's routes, judged before they run.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Failure;

/// Parse a configuration, state what each of its routes guarantees and why; opens nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  standpipe check standpipe.toml
  standpipe check standpipe.toml --connect      also connects to both ends of each route
  standpipe check standpipe.toml --json | jq '.routes[].guarantee'")]
pub(crate) struct Check {
    /// The configuration, in TOML or YAML
    file: PathBuf,

    /// Connect to every end, authenticate, look, and leave
    #[arg(long)]
    connect: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        Err(Failure::usage("check"))
    }
}
