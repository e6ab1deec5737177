//! `standpipe topic`: look at topics and change them, over the native protocol.

use clap::{Args, Subcommand};

use crate::exit::Failure;

/// List, create, describe, purge and delete topics
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  standpipe topic list
  standpipe topic create flights --partitions 4 --retention 7d
  standpipe topic describe flights --json")]
pub(crate) struct Topic {
    /// The broker
    #[arg(
        long,
        global = true,
        env = "STANDPIPE_ADDRESS",
        default_value = "standpipe://127.0.0.1:5670",
        value_name = "ADDRESS"
    )]
    address: String,

    /// Print JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List topics
    #[command(after_help = "Example:\n  standpipe topic list --json | jq -r .name")]
    List,
    /// Create a topic
    #[command(
        after_help = "Example:\n  standpipe topic create orders --partitions 4 --retention 10GB --durability disk"
    )]
    Create {
        /// Its name
        name: String,
        /// How many partitions
        #[arg(long, value_name = "N", default_value = "1")]
        partitions: std::num::NonZeroU32,
        /// What makes messages go
        #[arg(long, value_name = "settled|forever|TIME|SIZE|compact")]
        retention: Option<String>,
        /// What a confirmation waits for where the publisher does not say
        #[arg(long, value_name = "memory|os|disk")]
        durability: Option<String>,
    },
    /// Show a topic, its subscriptions, and which of them holds the log
    #[command(after_help = "Example:\n  standpipe topic describe orders")]
    Describe {
        /// Its name
        name: String,
    },
    /// Settle everything that waits in the topic's queue; other readers keep what they were promised
    #[command(after_help = "Example:\n  standpipe topic purge orders")]
    Purge {
        /// Its name
        name: String,
    },
    /// Delete a topic with everything in it
    #[command(after_help = "Example:\n  standpipe topic delete orders")]
    Delete {
        /// Its name
        name: String,
    },
}

impl Topic {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        Err(Failure::usage("topic"))
    }
}
