//! Settings of topics under Kafka's names: those that act, those that tune nothing here, and those that
//! hold always.

mod compression;
mod documentation;
mod inert;
mod retention;
mod spelled;
mod synonyms;

use standpipe_core::broker::{Limits, TopicSpec};

pub(super) use compression::packing;
pub(super) use documentation::documentation;
pub(super) use synonyms::at_broker;

use super::failure::Failure;
use crate::codec::error_code::ErrorCode;

/// Types of settings, as DescribeConfigs numbers them.
pub(super) const BOOL: i8 = 1;
pub(super) const STRING: i8 = 2;
pub(super) const INT: i8 = 3;
pub(super) const LONG: i8 = 5;
const DOUBLE: i8 = 6;
const LIST: i8 = 7;

/// Octets of a value: it is kept as it was spelled.
const LONGEST: usize = 4096;

const MESSAGE_BYTES: &str = "max.message.bytes";
/// What Kafka says for "no limit" where a setting has none of its own for it.
const NEVER: &str = "9223372036854775807";

/// What holds always: its value can be named, and no other. Accepting another would promise what is
/// not done: a sync before `acks=1` is answered, copies on other brokers, another timestamp than the
/// producer's, records refused for their time, tiers.
#[rustfmt::skip]
const FIXED: [(&str, &str, i8); 13] = [
    ("flush.messages", NEVER, LONG),
    ("flush.ms", NEVER, LONG),
    ("local.retention.bytes", "-2", LONG),
    ("local.retention.ms", "-2", LONG),
    ("max.compaction.lag.ms", NEVER, LONG),
    ("message.timestamp.after.max.ms", NEVER, LONG),
    ("message.timestamp.before.max.ms", NEVER, LONG),
    ("message.timestamp.difference.max.ms", NEVER, LONG),
    ("message.timestamp.type", "CreateTime", STRING),
    ("min.insync.replicas", "1", INT),
    ("remote.log.copy.disable", "false", BOOL),
    ("remote.log.delete.on.disable", "false", BOOL),
    ("remote.storage.enable", "false", BOOL),
];

/// A setting as it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// Kafka's name for it.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: String,
    /// Whether it is what a topic has that nobody set anything on.
    pub(super) is_default: bool,
    /// Its type.
    pub(super) kind: i8,
    /// Whether it can be nothing else.
    pub(super) is_fixed: bool,
}

/// The settings of a topic, by name.
pub(super) fn of_topic(spec: &TopicSpec, limits: &Limits) -> Vec<Setting> {
    let fixed = FIXED.into_iter().map(|(name, value, kind)| Setting {
        name,
        value: value.into(),
        is_default: spelled::held(spec, name, |set| set == value).is_none(),
        kind,
        is_fixed: true,
    });
    let limit = limits.message_bytes;
    let own = spec.message_bytes;
    let size = Setting {
        name: MESSAGE_BYTES,
        value: own.unwrap_or(limit).min(limit).to_string(),
        is_default: own.is_none(),
        kind: INT,
        is_fixed: false,
    };
    let all = retention::all(spec).chain(compression::all(spec));
    let all = all.chain(inert::all(spec)).chain(fixed);
    let mut all: Vec<_> = all.chain([size]).collect();
    all.sort_unstable_by_key(|setting| setting.name);
    all
}

/// Sets a setting. What holds always may be named with the value that it has; all else is refused,
/// so that nobody believes in a setting that does nothing.
///
/// # Errors
/// `INVALID_CONFIG`, with what is possible.
pub(super) fn set(
    spec: &mut TopicSpec,
    limits: &Limits,
    name: &str,
    value: Option<&str>,
) -> Result<(), Failure> {
    let invalid = |message: String| (ErrorCode::InvalidConfig, message);
    let Some(value) = value else {
        return Err(invalid(format!("{name} without a value")));
    };
    if value.len() > LONGEST {
        let octets = value.len();
        return Err(invalid(format!(
            "{name} with {octets} octets; {LONGEST} at most"
        )));
    }
    let refused = |possible: &str| invalid(format!("{name} = {value}; possible: {possible}"));
    if is_retention(name) {
        retention::set(spec, name, value).map_err(refused)?;
        spelled::note(spec, name, value);
        return Ok(());
    }
    if name == MESSAGE_BYTES {
        return set_message_bytes(spec, limits, value).map_err(|possible| refused(&possible));
    }
    if compression::is_one(name) {
        return compression::set(spec, name, value).map_err(refused);
    }
    if let Some(inert) = inert::find(name) {
        return inert
            .set(spec, value)
            .map_err(|possible| refused(&possible));
    }
    let Some(only) = fixed(name) else {
        return Err(unknown(spec, limits, name));
    };
    if only == value {
        spelled::note(spec, name, value);
        return Ok(());
    }
    Err(invalid(format!(
        "{name} = {value} is not implemented; only {only}"
    )))
}

/// Sets what can be set back to its default; what holds always stays as it is, and is not set any more.
///
/// # Errors
/// `INVALID_CONFIG` for a name that is not known.
pub(super) fn reset(spec: &mut TopicSpec, limits: &Limits, name: &str) -> Result<(), Failure> {
    spelled::forget(spec, name);
    if is_retention(name) {
        retention::reset(spec, name);
    } else if name == MESSAGE_BYTES {
        spec.message_bytes = None;
    } else if compression::is_one(name) {
        spec.notes.remove(name);
    } else if let Some(inert) = inert::find(name) {
        inert.reset(spec);
    } else if fixed(name).is_none() {
        return Err(unknown(spec, limits, name));
    }
    Ok(())
}

/// Sets everything back that is not `named`.
pub(super) fn reset_others(spec: &mut TopicSpec, limits: &Limits, named: &[&str]) {
    for setting in of_topic(spec, limits) {
        if !named.contains(&setting.name) {
            reset(spec, limits, setting.name).expect("its name is known");
        }
    }
}

/// Adds words to a list, or takes them out of it.
///
/// # Errors
/// `INVALID_CONFIG` for what is no list, and as [`set`].
pub(super) fn edit(
    spec: &mut TopicSpec,
    limits: &Limits,
    (name, value): (&str, Option<&str>),
    edit: Edit,
) -> Result<(), Failure> {
    let mut lists = of_topic(spec, limits)
        .into_iter()
        .filter(|setting| setting.kind == LIST);
    let Some(before) = lists.find(|setting| setting.name == name) else {
        let message = format!("{name} is no list of words; set it");
        return Err((ErrorCode::InvalidConfig, message));
    };
    let words = |text: &'_ str| -> Vec<String> {
        let words = text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        words.map(Into::into).collect()
    };
    let named = words(value.unwrap_or_default());
    let mut after = words(&before.value);
    after.retain(|word| !named.contains(word));
    if edit == Edit::Append {
        after.extend(named);
    }
    set(spec, limits, name, Some(&after.join(",")))
}

/// What a request does to a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Append,
    Subtract,
}

/// The place of a setting in a request: the policy comes first, since others depend on it.
pub(super) fn rank(name: &str) -> u8 {
    u8::from(name != retention::POLICY)
}

fn is_retention(name: &str) -> bool {
    retention::ALL.iter().any(|(one, _)| *one == name)
}

/// The only value of what holds always.
fn fixed(name: &str) -> Option<&'static str> {
    let mut all = FIXED.into_iter();
    all.find_map(|(one, only, _)| (one == name).then_some(only))
}

fn unknown(spec: &TopicSpec, limits: &Limits, name: &str) -> Failure {
    let known = of_topic(spec, limits);
    let names: Vec<_> = known.iter().map(|setting| setting.name).collect();
    let message = format!("no setting {name}; known: {}", names.join(", "));
    (ErrorCode::InvalidConfig, message)
}

/// # Errors
/// What is possible.
fn set_message_bytes(spec: &mut TopicSpec, limits: &Limits, value: &str) -> Result<(), String> {
    let limit = limits.message_bytes;
    let octets = value.parse().ok().filter(|octets| *octets <= limit);
    spec.message_bytes = Some(octets.ok_or_else(|| format!("0 to {limit}, the broker's limit"))?);
    Ok(())
}
