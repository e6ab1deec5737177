//! Settings of topics under Kafka's names: those that can be set, and those that hold always.

use standpipe_core::{
    broker::{Limits, Retention, TopicSpec},
    compaction::{Beyond, Compaction, parse_ratio, ratio_text},
};

use super::failure::Failure;
use crate::codec::error_code::ErrorCode;

/// Types of settings, as DescribeConfigs numbers them.
pub(super) const INT: i8 = 3;
pub(super) const STRING: i8 = 2;
pub(super) const LONG: i8 = 5;
pub(super) const DOUBLE: i8 = 6;
pub(super) const LIST: i8 = 7;

/// Settings that a request can change; the others hold always.
pub(super) const SETTABLE: [&str; 6] = [POLICY, GRACE, DIRTY, LAG, BYTES, MS];
const POLICY: &str = "cleanup.policy";
const GRACE: &str = "delete.retention.ms";
const DIRTY: &str = "min.cleanable.dirty.ratio";
const LAG: &str = "min.compaction.lag.ms";
const BYTES: &str = "retention.bytes";
const MS: &str = "retention.ms";

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
}

/// The settings of a topic, by name.
pub(super) fn of_topic(spec: &TopicSpec, limits: &Limits) -> Vec<Setting> {
    let (held, default) = (held(spec.retention), held(Retention::default()));
    let setting = |name, kind| {
        let value = value_of(&held, name);
        Setting {
            name,
            is_default: value == value_of(&default, name),
            value,
            kind,
        }
    };
    let always = |name, value: &str, kind| Setting {
        name,
        value: value.into(),
        is_default: true,
        kind,
    };
    vec![
        setting(POLICY, LIST),
        always("compression.type", "producer", STRING),
        setting(GRACE, LONG),
        always("max.message.bytes", &limits.message_bytes.to_string(), INT),
        always("message.timestamp.type", "CreateTime", STRING),
        setting(DIRTY, DOUBLE),
        setting(LAG, LONG),
        always("min.insync.replicas", "1", INT),
        setting(BYTES, LONG),
        setting(MS, LONG),
    ]
}

/// Sets what can be set. What holds always may be named with the value that it has; all else is
/// refused, so that nobody believes in a setting that does nothing.
///
/// # Errors
/// `INVALID_CONFIG`, with what is possible.
pub(super) fn set(
    spec: &mut TopicSpec,
    limits: &Limits,
    name: &str,
    value: Option<&str>,
) -> Result<(), Failure> {
    let invalid = |message: String| Err((ErrorCode::InvalidConfig, message));
    let Some(value) = value else {
        return invalid(format!("{name} without a value"));
    };
    if SETTABLE.contains(&name) {
        let mut held = held(spec.retention);
        if let Err(possible) = put(&mut held, name, value) {
            return invalid(format!("{name} = {value}; {possible}"));
        }
        keep(spec, held);
        return Ok(());
    }
    let known = of_topic(spec, limits);
    let Some(setting) = known.iter().find(|setting| setting.name == name) else {
        let names: Vec<_> = known.iter().map(|setting| setting.name).collect();
        let names = names.join(", ");
        return invalid(format!("no setting {name}; known: {names}"));
    };
    if setting.value == value {
        return Ok(());
    }
    let only = &setting.value;
    invalid(format!("{name} = {value} is not implemented; only {only}"))
}

/// Sets what can be set back to its default; what holds always stays as it is.
///
/// # Errors
/// `INVALID_CONFIG` for a name that is not known.
pub(super) fn reset(spec: &mut TopicSpec, limits: &Limits, name: &str) -> Result<(), Failure> {
    let value = match SETTABLE.contains(&name) {
        true => Some(value_of(&held(Retention::default()), name)),
        false => {
            let known = of_topic(spec, limits).into_iter();
            let mut held = known.filter(|setting| setting.name == name);
            held.next().map(|setting| setting.value)
        }
    };
    set(spec, limits, name, value.as_deref().or(Some("")))
}

/// A topic's retention as Kafka's settings have it: limits, whether they act, and how it is compacted
/// if it is. A topic that is not compacted remembers nothing of how it would be.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Held {
    policy: Policy,
    settings: Compaction,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Policy {
    Delete,
    Compact,
    Both,
}

fn held(retention: Retention) -> Held {
    let limited = || Compaction {
        ms: retention.ms(),
        octets: retention.octets(),
        ..Compaction::default()
    };
    let settings = retention.compaction().unwrap_or_else(limited);
    let policy = match (retention.compaction(), settings.beyond) {
        (None, _) => Policy::Delete,
        (Some(_), Beyond::Stays) => Policy::Compact,
        (Some(_), Beyond::Goes) => Policy::Both,
    };
    Held { policy, settings }
}

/// What is as it was changes nothing: a topic whose retention has no Kafka name, such as `settled`,
/// keeps that when what was described is sent back.
fn keep(spec: &mut TopicSpec, new: Held) {
    if new == held(spec.retention) {
        return;
    }
    let beyond = match new.policy {
        Policy::Delete => {
            spec.retention = Retention::limits(new.settings.ms, new.settings.octets);
            return;
        }
        Policy::Compact => Beyond::Stays,
        Policy::Both => Beyond::Goes,
    };
    spec.retention = Retention::Compact(Compaction {
        beyond,
        ..new.settings
    });
}

fn value_of(held: &Held, name: &str) -> String {
    let settings = &held.settings;
    let limit = |limit: Option<u64>| limit.map_or_else(|| "-1".into(), |limit| limit.to_string());
    match name {
        POLICY => match held.policy {
            Policy::Delete => "delete".into(),
            Policy::Compact => "compact".into(),
            Policy::Both => "compact,delete".into(),
        },
        GRACE => settings.grace_ms.to_string(),
        DIRTY => ratio_text(settings.dirty),
        LAG => settings.lag_ms.to_string(),
        BYTES => limit(settings.octets),
        _ => limit(settings.ms),
    }
}

/// # Errors
/// What is possible.
fn put(held: &mut Held, name: &str, value: &str) -> Result<(), &'static str> {
    let settings = &mut held.settings;
    let age = || value.parse().map_err(|_| "0 and more");
    let default = Compaction::default();
    let is_compacted = held.policy != Policy::Delete;
    match name {
        POLICY => held.policy = policy(value)?,
        GRACE => settings.grace_ms = age()?,
        LAG => settings.lag_ms = age()?,
        DIRTY => settings.dirty = parse_ratio(value).ok_or("0 to 1")?,
        BYTES => settings.octets = limit(value)?,
        _ => settings.ms = limit(value)?,
    }
    let Compaction {
        grace_ms,
        lag_ms,
        dirty,
        ..
    } = *settings;
    let is_default = (grace_ms, lag_ms, dirty) == (default.grace_ms, default.lag_ms, default.dirty);
    if name != POLICY && !is_compacted && !is_default {
        return Err("only where cleanup.policy has compact in it");
    }
    Ok(())
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
    if name != POLICY {
        let message = format!("{name} is no list of words; set it");
        return Err((ErrorCode::InvalidConfig, message));
    }
    let before = value_of(&held(spec.retention), name);
    let named: Vec<_> = value
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .collect();
    let mut words: Vec<_> = before
        .split(',')
        .filter(|word| !named.contains(word))
        .collect();
    if edit == Edit::Append {
        words.extend(named);
    }
    set(spec, limits, name, Some(&words.join(",")))
}

/// What a request does to a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Append,
    Subtract,
}

/// The place of a setting in a request: the policy comes first, since others depend on it.
pub(super) fn rank(name: &str) -> u8 {
    u8::from(name != POLICY)
}

fn limit(value: &str) -> Result<Option<u64>, &'static str> {
    match value.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(limit) if limit >= 0 => Ok(Some(limit.unsigned_abs())),
        _ => Err("-1 (no limit), or 0 and more"),
    }
}

fn policy(value: &str) -> Result<Policy, &'static str> {
    let mut words: Vec<_> = value.split(',').map(str::trim).collect();
    words.sort_unstable();
    match words[..] {
        ["delete"] => Ok(Policy::Delete),
        ["compact"] => Ok(Policy::Compact),
        ["compact", "delete"] => Ok(Policy::Both),
        _ => Err("delete, compact, or both as compact,delete"),
    }
}
