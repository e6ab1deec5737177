//! The configuration: one file in TOML or YAML, environment variables on top, the command line last.
//! An unknown key, scheme or option is refused with its line, the value and the known ones.

mod document;
mod kafka;
mod listen;
mod place;
mod route;
mod schema;
mod toml_places;
mod yaml_places;

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::Deserialize;
use standpipe_core::driver::Registry;

pub use kafka::KafkaConfig;
pub use listen::{Endpoint, ListenConfig};
pub use route::{Guarantee, Order, RouteConfig};
pub use standpipe_plugins::Step;

use document::Document;
use place::Path;

/// What a file, the environment and the defaults say together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Where the store keeps its files.
    pub data: Option<PathBuf>,
    /// Where the frontends listen.
    pub listen: ListenConfig,
    /// Settings of the Kafka frontend.
    pub kafka: KafkaConfig,
    /// The routes, in the file's order; their names differ.
    pub routes: Vec<RouteConfig>,
}

/// Why a configuration is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    file: String,
    line: Option<usize>,
    message: String,
}

impl Problem {
    /// A problem in `file`, at `line` where that is known.
    pub(crate) fn new(file: &str, line: Option<usize>, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for Problem {}

impl Config {
    /// Reads `file`, if any, and the process's environment; `registry` knows schemes and options.
    ///
    /// # Errors
    /// A [`Problem`] with the file, the line and the fix.
    pub fn load(file: Option<&std::path::Path>, registry: &Registry) -> Result<Self, Problem> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let Some(file) = file else {
            return Self::parse("environment.toml", "", environment, registry);
        };
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Problem::new(&name, None, format!("cannot read it: {error}")))?;
        Self::parse(&name, &text, environment, registry)
    }

    /// Reads a configuration from `text`; `name` tells the format by its ending and stands in messages.
    ///
    /// # Errors
    /// A [`Problem`] with the name, the line and the fix.
    pub fn parse(
        name: &str,
        text: &str,
        environment: BTreeMap<String, String>,
        registry: &Registry,
    ) -> Result<Self, Problem> {
        let document = Document::parse(name, text, environment)?;
        let raw: Raw = document
            .values
            .clone()
            .try_deserialize()
            .map_err(|error| document.unreadable(&error))?;
        let config = Self {
            data: raw.data,
            listen: listen::read(raw.listen, &document)?,
            kafka: kafka::read(raw.kafka, &document)?,
            routes: route::read_all(raw.route, &document, registry)?,
        };
        Ok(config)
    }
}

/// The file's shape before its words are understood.
#[derive(Deserialize)]
struct Raw {
    data: Option<PathBuf>,
    #[serde(default)]
    listen: BTreeMap<String, String>,
    #[serde(default)]
    kafka: BTreeMap<String, String>,
    #[serde(default)]
    route: Vec<route::Raw>,
}

/// The path of a top-level key.
fn top(key: &str) -> Path {
    Path::default().key(key)
}

#[cfg(test)]
mod tests;
