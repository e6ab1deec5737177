//! `[[route]]`: from where to where, through what.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use standpipe_core::{address::Address, driver::Registry};
use standpipe_plugins::{Settings, Step};

use super::{Problem, document::Document, place::Path, top};

/// One route; its words are understood, nothing is opened yet.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteConfig {
    /// Unique in the file; a positional source's default group is `standpipe-` and it.
    pub name: String,
    /// The source; its scheme and options are known.
    pub from: Address,
    /// The destination; its scheme and options are known.
    pub to: Address,
    /// The steps on the way, in order.
    pub transform: Vec<Step>,
    /// What order is kept.
    pub order: Order,
    /// What the author wants promised.
    pub guarantee: Option<Guarantee>,
}

/// What order a route keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// One sequence over everything.
    Total,
    /// Each lane of the source (a partition, a queue) in its order.
    #[default]
    Lane,
    /// Each key in its order, keys in parallel.
    Key,
    /// None.
    None,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Total => "total",
            Self::Lane => "lane",
            Self::Key => "key",
            Self::None => "none",
        })
    }
}

/// What a route promises about each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Arrives, perhaps twice.
    AtLeastOnce,
    /// Arrives once.
    ExactlyOnce,
}

/// The table's shape before its words are understood.
#[derive(Deserialize)]
pub(super) struct Raw {
    name: Option<String>,
    from: Option<String>,
    to: Option<String>,
    #[serde(default)]
    transform: Vec<BTreeMap<String, Value>>,
    order: Option<String>,
    guarantee: Option<String>,
}

/// Understands all routes; their keys are checked already.
pub(super) fn read_all(
    raw: Vec<Raw>,
    document: &Document,
    registry: &Registry,
) -> Result<Vec<RouteConfig>, Problem> {
    let mut names = BTreeSet::new();
    let mut routes = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let at = top("route").index(index);
        let route = read(raw, &at, document, registry)?;
        if !names.insert(route.name.clone()) {
            let message = format!("the name `{}` is taken by an earlier route", route.name);
            return Err(document.problem(&at.key("name"), message));
        }
        routes.push(route);
    }
    Ok(routes)
}

fn read(
    raw: Raw,
    at: &Path,
    document: &Document,
    registry: &Registry,
) -> Result<RouteConfig, Problem> {
    let required = |key: &str, value: Option<String>| match value {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(document.problem(at, format!("the route has no `{key}`"))),
    };
    let address = |key: &str, value: Option<String>| {
        registry
            .address(&required(key, value)?)
            .map_err(|error| document.problem(&at.key(key), error.message()))
    };
    let mut transform = Vec::with_capacity(raw.transform.len());
    for (index, table) in raw.transform.into_iter().enumerate() {
        let here = at.key("transform").index(index);
        let step = read_step(table).map_err(|message| document.problem(&here, message))?;
        step.build(Settings::default())
            .map_err(|error| document.problem(&here, error.message()))?;
        transform.push(step);
    }
    Ok(RouteConfig {
        name: required("name", raw.name)?,
        from: address("from", raw.from)?,
        to: address("to", raw.to)?,
        transform,
        order: word(raw.order, &ORDERS)
            .map_err(|message| document.problem(&at.key("order"), message))?
            .unwrap_or_default(),
        guarantee: word(raw.guarantee, &GUARANTEES)
            .map_err(|message| document.problem(&at.key("guarantee"), message))?,
    })
}

const ORDERS: [(&str, Order); 4] = [
    ("total", Order::Total),
    ("lane", Order::Lane),
    ("key", Order::Key),
    ("none", Order::None),
];

const GUARANTEES: [(&str, Guarantee); 2] = [
    ("at-least-once", Guarantee::AtLeastOnce),
    ("exactly-once", Guarantee::ExactlyOnce),
];

fn word<T: Copy>(text: Option<String>, known: &[(&str, T)]) -> Result<Option<T>, String> {
    let Some(text) = text else { return Ok(None) };
    if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
        return Ok(Some(*value));
    }
    let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
    Err(format!(
        "unknown value `{text}`; known: {}",
        words.join(", ")
    ))
}

fn read_step(table: BTreeMap<String, Value>) -> Result<Step, String> {
    let mut fields = table.into_iter();
    let (Some((kind, value)), None) = (fields.next(), fields.next()) else {
        return Err("a step is a table with one key, such as { drop = [\"a\"] }".to_owned());
    };
    match kind.as_str() {
        "drop" => parse(value, "drop", "a list of names").map(Step::Drop),
        "set" => parse(value, "set", "a table of names and values").map(Step::Set),
        "rename" => parse(value, "rename", "a table of old and new names").map(Step::Rename),
        "jq" => parse(value, "jq", "an expression").map(Step::Jq),
        "exec" => parse(value, "exec", "a command").map(Step::Exec),
        "exec_lines" => parse(value, "exec_lines", "a command").map(Step::ExecLines),
        _ => parse(value, "plugin", "a command").map(Step::Plugin),
    }
}

fn parse<T: DeserializeOwned>(value: Value, step: &str, takes: &str) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("`{step}` takes {takes}: {error}"))
}
