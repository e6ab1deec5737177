//! What a topic keeps, under Kafka's names.

use std::collections::BTreeMap;

use standpipe_core::{
    broker::{Retention, TopicSpec},
    compaction::{Beyond, Compaction, parse_ratio, ratio_text},
};

use super::{DOUBLE, LIST, LONG, Setting, spelled};

pub(super) const POLICY: &str = "cleanup.policy";
const GRACE: &str = "delete.retention.ms";
const DIRTY: &str = "min.cleanable.dirty.ratio";
const LAG: &str = "min.compaction.lag.ms";
const BYTES: &str = "retention.bytes";
const MS: &str = "retention.ms";

/// Names and types.
pub(super) const ALL: [(&str, i8); 6] = [
    (POLICY, LIST),
    (GRACE, LONG),
    (DIRTY, DOUBLE),
    (LAG, LONG),
    (BYTES, LONG),
    (MS, LONG),
];
/// What acts on a compacted topic only, and is noted on others as in Kafka.
const OF_COMPACTION: [&str; 3] = [GRACE, DIRTY, LAG];

/// All of them, as they hold for a topic.
pub(super) fn all(spec: &TopicSpec) -> impl Iterator<Item = Setting> {
    let (held, default) = (held(spec), default());
    ALL.into_iter().map(move |(name, kind)| {
        let value = value_of(&held, name);
        let set = spelled::held(spec, name, |text| says(text, &held, name));
        Setting {
            name,
            is_default: set.is_none() && value == value_of(&default, name),
            value: set.unwrap_or(value),
            kind,
            is_fixed: false,
        }
    })
}

/// # Errors
/// What is possible.
pub(super) fn set(spec: &mut TopicSpec, name: &str, value: &str) -> Result<(), &'static str> {
    let mut held = held(spec);
    put(&mut held, name, value)?;
    keep(spec, held);
    Ok(())
}

/// Sets the default.
pub(super) fn reset(spec: &mut TopicSpec, name: &str) {
    let value = value_of(&default(), name);
    set(spec, name, &value).expect("what is described can be set");
}

/// A topic's retention as Kafka's settings have it: limits, whether they act, and how it is compacted,
/// or would be.
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

fn default() -> Held {
    held(&TopicSpec::new("", ""))
}

fn held(spec: &TopicSpec) -> Held {
    let retention = spec.retention;
    let limited = || noted(&spec.notes, retention.ms(), retention.octets());
    let settings = retention.compaction().unwrap_or_else(limited);
    let policy = match (retention.compaction(), settings.beyond) {
        (None, _) => Policy::Delete,
        (Some(_), Beyond::Stays) => Policy::Compact,
        (Some(_), Beyond::Goes) => Policy::Both,
    };
    Held { policy, settings }
}

/// How a topic would be compacted that is not.
fn noted(notes: &BTreeMap<String, String>, ms: Option<u64>, octets: Option<u64>) -> Compaction {
    let settings = Compaction {
        ms,
        octets,
        ..Compaction::default()
    };
    let mut held = Held {
        policy: Policy::Delete,
        settings,
    };
    for name in OF_COMPACTION {
        // What was noted was checked before.
        let _ = notes.get(name).map(|value| put(&mut held, name, value));
    }
    held.settings
}

/// What is as it was changes nothing: a topic whose retention has no Kafka name, such as `settled`,
/// keeps that when what was described is sent back.
fn keep(spec: &mut TopicSpec, new: Held) {
    let before = held(spec);
    let is_compacted = new.policy != Policy::Delete;
    let default = default();
    for name in OF_COMPACTION {
        let value = value_of(&new, name);
        match is_compacted || value == value_of(&default, name) {
            true => spec.notes.remove(name),
            false => spec.notes.insert(name.into(), value),
        };
    }
    let limits = |held: &Held| (held.policy, held.settings.ms, held.settings.octets);
    let beyond = match new.policy {
        Policy::Delete if limits(&before) == limits(&new) => return,
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

/// Whether a setting with that value is what is held.
fn says(value: &str, held: &Held, name: &str) -> bool {
    let mut said = *held;
    put(&mut said, name, value).is_ok() && said == *held
}

/// # Errors
/// What is possible.
fn put(held: &mut Held, name: &str, value: &str) -> Result<(), &'static str> {
    let settings = &mut held.settings;
    let age = || value.parse().map_err(|_| "0 and more");
    match name {
        POLICY => held.policy = policy(value)?,
        GRACE => settings.grace_ms = age()?,
        LAG => settings.lag_ms = age()?,
        DIRTY => settings.dirty = parse_ratio(value).ok_or("0 to 1")?,
        BYTES => settings.octets = limit(value)?,
        _ => settings.ms = limit(value)?,
    }
    Ok(())
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
