//! `standpipe check`: a configuration's routes, judged before they run.

use std::{io::Write as _, path::PathBuf};

use clap::Args;
use serde_json::json;
use standpipe::{
    config::{Config, RouteConfig},
    route::{Verdict, verdict},
};
use standpipe_core::driver::Registry;

use crate::exit::{Exit, Failure};

/// Parse a configuration, state what each of its routes guarantees and why; opens nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  standpipe check standpipe.toml
  standpipe check standpipe.toml --connect      also connects to both ends of each route
  standpipe check standpipe.toml --json | jq -r .guarantee")]
pub(crate) struct Check {
    /// The configuration, in TOML or YAML
    file: PathBuf,

    /// Connect to every end, authenticate, look, and leave
    #[arg(long)]
    connect: bool,

    /// Print a JSON object for each route
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let registry = standpipe::registry();
        let config = Config::load(Some(&self.file), &registry).map_err(Failure::config)?;
        let mut refused = Vec::new();
        for route in &config.routes {
            match verdict(route, &registry) {
                Ok(verdict) => self.print(route, &verdict)?,
                Err(why) => refused.push(format!("route `{}`: {why}", route.name)),
            }
        }
        if !refused.is_empty() {
            return Err(Failure::config(refused.join("\n")));
        }
        if self.connect {
            connect(&config.routes, &registry).await?;
        }
        Ok(())
    }

    fn print(&self, route: &RouteConfig, verdict: &Verdict) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        if self.json {
            let line = json!({
                "route": route.name,
                "from": route.from.to_string(),
                "to": route.to.to_string(),
                "guarantee": verdict.promise.to_string(),
                "order": verdict.order.to_string(),
                "reasons": verdict.reasons,
            });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{}: {}", route.name, verdict.promise)?;
            writeln!(out, "  from   {}\n  to     {}", route.from, route.to)?;
            writeln!(out, "  order  {}", verdict.order)?;
            for reason in &verdict.reasons {
                writeln!(out, "  - {reason}")?;
            }
        }
        Ok(out.flush()?)
    }
}

/// Probes both ends of every route; all of them, so that one run tells everything.
async fn connect(routes: &[RouteConfig], registry: &Registry) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for route in routes {
        for address in [&route.from, &route.to] {
            let probed = async { registry.driver(address)?.probe(address).await };
            match probed.await {
                Ok(()) => eprintln!("{address}: reached"),
                Err(error) => failed.push(format!("{address}: {error}")),
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Unavailable, failed.join("\n")))
}
