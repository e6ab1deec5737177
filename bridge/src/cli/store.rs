//! `standpipe store`: a store that is not running, looked at, and changed only by `--accept-loss`.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufWriter, Write as _},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use standpipe_core::{
    Error, ErrorKind,
    broker::{DEFAULT_NAMESPACE, stored_topic},
    id::{LogId, TopicId},
};
use standpipe_native::store::inspect::{Finding, Inspection, Severity};

use super::{store_accept, store_dump, store_talk};
use crate::exit::{Exit, Failure};

/// Check, dump or measure a store that is not running; it is only read, unless loss is accepted
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  standpipe store check /var/lib/standpipe
  standpipe store stat standpipe-data --json | jq .octets
  standpipe store dump standpipe-data --topic orders | standpipe pub standpipe://127.0.0.1:5670/orders")]
pub(crate) struct Store {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Verify every checksum, and say what is wrong and what it takes; 65 where anything is
    #[command(after_help = "\
Example:
  standpipe store check standpipe-data

A line each: how bad, the file, the place in it, whose it is, the offsets, what it is.
  note     normal after a crash
  unused   a flipped bit that nothing depends on
  mended   a flipped bit that is mended when the store is opened
  index    an index is damaged; its entries are read without it
  lost     what cannot be told any more; all else is served, and its topic takes nothing more
  closed   the store does not open with this

--accept-loss prints a line for each thing that it gives up, and changes nothing else:
  standpipe store check --accept-loss standpipe-data")]
    Check {
        /// The directory that `serve --data` has
        dir: PathBuf,
        /// Print a JSON object a line
        #[arg(long)]
        json: bool,
        /// Give up what is lost, so that the store opens and its topics take messages again
        #[arg(long)]
        accept_loss: bool,
    },
    /// Print what is stored, an envelope a line; what no codec reads, as its octets
    #[command(
        after_help = "Example:\n  standpipe store dump standpipe-data --topic orders | jq .payload"
    )]
    Dump {
        /// The directory that `serve --data` has
        dir: PathBuf,
        /// Only this topic
        #[arg(long, value_name = "NAME")]
        topic: Option<String>,
    },
    /// Show what each partition holds, and the files
    #[command(after_help = "Example:\n  standpipe store stat standpipe-data")]
    Stat {
        /// The directory that `serve --data` has
        dir: PathBuf,
        /// Print a JSON object a line
        #[arg(long)]
        json: bool,
    },
}

impl Store {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Check {
                dir,
                json,
                accept_loss: true,
            } => {
                let names = Names::of(&open(&dir)?); // which gives the directory free again
                store_accept::accept(&dir, &names, json)
            }
            Action::Check { dir, json, .. } => check(&open(&dir)?, json),
            Action::Dump { dir, topic } => {
                let inspection = open(&dir)?;
                let names = Names::of(&inspection);
                store_dump::dump(&inspection, &names, topic.as_deref())
            }
            Action::Stat { dir, json } => {
                let inspection = open(&dir)?;
                store_talk::stat(&inspection, &Names::of(&inspection), json)
            }
        }
    }
}

/// What is wrong with a directory is wrong data, unless somebody else has it.
fn open(dir: &std::path::Path) -> Result<Inspection, Failure> {
    Inspection::open(dir).map_err(|error| match error.kind() {
        ErrorKind::Unsupported => Failure::new(Exit::Data, error.to_string()),
        _ => error.into(),
    })
}

fn check(inspection: &Inspection, json: bool) -> Result<(), Failure> {
    let names = Names::of(inspection);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    let mut written = Ok(());
    let checked = inspection.check(|finding| {
        *counts.entry(finding.severity).or_default() += 1;
        if written.is_ok() {
            written = store_talk::finding(&mut out, &finding, &names, json);
        }
    })?;
    written?;
    store_talk::checked(&mut out, &checked, &counts, json)?;
    out.flush()?;
    let damage = counts
        .iter()
        .filter(|(severity, _)| **severity > Severity::Note);
    match damage.map(|(_, count)| count).sum::<u64>() {
        0 => Ok(()),
        1 => Err(Failure::new(
            Exit::Data,
            "one thing is wrong with this store",
        )),
        more => Err(Failure::new(
            Exit::Data,
            format!("{more} things are wrong with this store"),
        )),
    }
}

/// What people call topics.
pub(crate) struct Names(HashMap<TopicId, String>);

impl Names {
    fn of(inspection: &Inspection) -> Self {
        let topics = inspection.keys().iter();
        let topics = topics.filter_map(|(key, value)| stored_topic(key, value));
        let names = topics.map(|(id, spec)| match spec.namespace.as_str() {
            DEFAULT_NAMESPACE => (id, spec.name),
            namespace => (id, format!("{namespace}/{}", spec.name)),
        });
        Self(names.collect())
    }

    /// A topic's name; `None` where the store does not say.
    pub(crate) fn get(&self, topic: TopicId) -> Option<&str> {
        self.0.get(&topic).map(String::as_str)
    }

    /// The topic of that name.
    ///
    /// # Errors
    /// `NotFound` with the names that there are.
    pub(crate) fn find(&self, name: &str) -> Result<TopicId, Error> {
        let found = self.0.iter().find(|(_, known)| *known == name);
        found.map(|(id, _)| *id).ok_or_else(|| {
            let mut known: Vec<_> = self.0.values().map(String::as_str).collect();
            known.sort_unstable();
            let message = format!(
                "no topic `{name}` in this store; known: {}",
                known.join(", ")
            );
            Error::new(ErrorKind::NotFound, "dump store", message)
        })
    }

    /// Whose something is, for a person.
    pub(crate) fn of_finding(&self, finding: &Finding) -> Option<String> {
        finding.log.map(|log| self.of_log(log))
    }

    /// A log, for a person.
    pub(crate) fn of_log(&self, log: LogId) -> String {
        let id = log.topic.0;
        match self.get(log.topic) {
            Some(name) => format!("topic {name} ({id}) partition {}", log.partition),
            None => format!("topic {id} partition {}", log.partition),
        }
    }
}
