//! `standpipe topic`: look at topics and change them, over the native protocol.

use std::num::NonZeroU32;

use clap::{Args, Subcommand, ValueEnum};
use standpipe_core::{ErrorKind, broker::Retention, driver::NewTopic};

use super::topic_talk;
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
        /// How many partitions [default: 1]
        #[arg(long, value_name = "N")]
        partitions: Option<NonZeroU32>,
        /// What makes messages go; TIME and SIZE of a partition can be joined, as 7d,10GB or
        /// compact,7d; a compacted topic keeps the newest message of each key, a tombstone for
        /// compact,grace=TIME [24h], and each message for compact,lag=TIME
        #[arg(long, value_name = "settled|forever|TIME|SIZE|compact")]
        retention: Option<String>,
        /// What a confirmation waits for where the publisher does not say
        #[arg(
            long,
            value_enum,
            value_name = "memory|os|disk",
            hide_possible_values = true
        )]
        durability: Option<DurabilityWord>,
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
        let registry = standpipe::registry();
        let address = registry.address(&self.address).map_err(Failure::usage)?;
        let new = self.action.new_topic()?;
        let admin = registry.driver(&address)?.admin(&address).await?;
        match &self.action {
            Action::List => topic_talk::list(&admin.list().await?, self.json),
            Action::Describe { name } => {
                topic_talk::describe(&admin.describe(name).await?, self.json)
            }
            Action::Create { .. } => Ok(admin.create(new).await?),
            Action::Delete { name } => Ok(admin.delete(name).await?),
            Action::Purge { name } => topic_talk::purged(admin.purge(name).await?, self.json),
        }
    }
}

impl Action {
    /// What `create` asks for; its words are checked before anything is opened.
    fn new_topic(&self) -> Result<NewTopic, Failure> {
        let mut topic = NewTopic {
            name: String::new(),
            partitions: None,
            retention: None,
            durability: None,
        };
        if let Self::Create {
            name,
            partitions,
            retention,
            durability,
        } = self
        {
            if let Some(word) = retention {
                check_retention(word).map_err(Failure::usage)?;
            }
            topic.name.clone_from(name);
            topic.partitions = *partitions;
            topic.retention.clone_from(retention);
            topic.durability = durability.map(|word| word.to_string());
        }
        Ok(topic)
    }
}

/// What is no word of ours is usage; a word that a system does not have is for that to say.
fn check_retention(word: &str) -> Result<(), String> {
    match word.parse::<Retention>() {
        Err(error) if error.kind() == ErrorKind::Invalid => Err(error.message().to_owned()),
        _ => Ok(()),
    }
}

/// The durabilities of the design's section 5.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DurabilityWord {
    /// Confirmed once it is in memory
    Memory,
    /// Confirmed once the operating system has it
    Os,
    /// Confirmed once it is on the disk
    Disk,
}

impl std::fmt::Display for DurabilityWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Os => "os",
            Self::Disk => "disk",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retentions_are_words_times_or_sizes() {
        for word in [
            "settled",
            "forever",
            "compact",
            "7d",
            "10GB",
            "compact,7d,10GB",
        ] {
            assert!(check_retention(word).is_ok(), "{word}");
        }
        assert!(check_retention("7").unwrap_err().contains("`7`"));
    }
}
