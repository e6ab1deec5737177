//! The command line: one file a command, stdout for data, stderr for talk.

mod carry;
mod check;
mod cp;
mod progress;
mod publish;
mod schedule;
mod serve;
mod serve_talk;
#[cfg(feature = "native")]
mod store;
#[cfg(feature = "native")]
mod store_accept;
mod store_dump;
#[cfg(feature = "native")]
mod store_talk;
mod subscribe;
mod take;
mod topic;
mod topic_talk;

use clap::{Parser, Subcommand};

use crate::{
    exit::{Exit, Failure},
    log::{self, LogFormat},
};

/// One stored message, every protocol, both ways.
#[derive(Debug, Parser)]
#[command(
    name = "standpipe",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = EXAMPLES)]
struct Cli {
    /// How log lines on stderr look; RUST_LOG sets the level
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    log: LogFormat,

    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  standpipe serve                                            start the broker here
  echo hello | standpipe pub --lines standpipe://127.0.0.1:5670/greetings
  standpipe sub 'kafka://127.0.0.1:9092/greetings' --drain   read it as Kafka's clients do
  standpipe cp 'amqp://guest:guest@127.0.0.1:5672/%2f?queue=q' kafka://127.0.0.1:9092/t

Exit codes: 0 done (also after SIGTERM), 64 usage, 65 data, 69 no connection,
74 a failing disk, 78 configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Pub(publish::Pub),
    Sub(subscribe::Sub),
    Cp(cp::Cp),
    Check(check::Check),
    Topic(topic::Topic),
    #[cfg(feature = "native")]
    Store(store::Store),
}

/// Parses the command line, runs the command, and says how it ended.
pub(crate) fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    log::start(cli.log, cli.command.log_level());
    match run(cli.command) {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            if !failure.is_broken_pipe() {
                eprintln!("standpipe: {failure}");
            }
            failure.exit()
        }
    }
}

impl Command {
    /// What is logged where `RUST_LOG` is silent: a daemon tells more than a filter.
    fn log_level(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info,lapin=off",
            // Its findings say what the store's own lines say.
            #[cfg(feature = "native")]
            Self::Store(_) => "warn,standpipe_native=off",
            // The AMQP client's own lines say what our error says.
            _ => "warn,lapin=off",
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let end = runtime.block_on(async {
        match command {
            Command::Serve(serve) => serve.run().await,
            Command::Pub(publish) => publish.run().await,
            Command::Sub(subscribe) => subscribe.run().await,
            Command::Cp(cp) => cp.run().await,
            Command::Check(check) => check.run().await,
            Command::Topic(topic) => topic.run().await,
            #[cfg(feature = "native")]
            Command::Store(store) => store.run(),
        }
    });
    // A thread that still reads stdin must not hold the end up.
    runtime.shutdown_background();
    end
}

/// Prints help and version to stdout, everything else to stderr with the code for usage.
fn refuse(error: &clap::Error) -> Exit {
    let printed = error.print();
    if error.use_stderr() || printed.is_err_and(|e| e.kind() != std::io::ErrorKind::BrokenPipe) {
        return Exit::Usage;
    }
    Exit::Ok
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string);
            let has = help.is_some_and(|text| text.contains("Example"));
            assert!(has, "`{}` shows no example", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
