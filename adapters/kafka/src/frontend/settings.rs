//! Settings of topics under Kafka's names: those that can be set, and those that hold always.

use standpipe_core::broker::{Limits, Retention, TopicSpec};

use super::failure::Failure;
use crate::codec::error_code::ErrorCode;

/// Types of settings, as DescribeConfigs numbers them.
pub(super) const INT: i8 = 3;
pub(super) const STRING: i8 = 2;
pub(super) const LONG: i8 = 5;
pub(super) const LIST: i8 = 7;

/// Settings that a request can change; the others hold always.
pub(super) const SETTABLE: [&str; 2] = [BYTES, MS];
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
    let (retention, default) = (spec.retention, Retention::default());
    let limit = |name, limit: Option<u64>, default: Option<u64>| Setting {
        name,
        value: limit.map_or_else(|| "-1".into(), |limit| limit.to_string()),
        is_default: limit == default,
        kind: LONG,
    };
    let always = |name, value: &str, kind| Setting {
        name,
        value: value.into(),
        is_default: true,
        kind,
    };
    vec![
        always("cleanup.policy", "delete", LIST),
        always("compression.type", "producer", STRING),
        always("max.message.bytes", &limits.message_bytes.to_string(), INT),
        always("message.timestamp.type", "CreateTime", STRING),
        always("min.insync.replicas", "1", INT),
        limit(BYTES, retention.octets(), default.octets()),
        limit(MS, retention.ms(), default.ms()),
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
        let limit = match value.parse::<i64>() {
            Ok(-1) => None,
            Ok(limit) if limit >= 0 => Some(limit.unsigned_abs()),
            _ => return invalid(format!("{name} = {value}; -1 (no limit), or 0 and more")),
        };
        put(spec, name, limit);
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
    let default = Retention::default();
    match name {
        BYTES => put(spec, BYTES, default.octets()),
        MS => put(spec, MS, default.ms()),
        _ => {
            let known = of_topic(spec, limits);
            let held = known.into_iter().find(|setting| setting.name == name);
            let value = held.map(|setting| setting.value);
            return set(spec, limits, name, value.as_deref().or(Some("")));
        }
    }
    Ok(())
}

/// A limit that is as it was changes nothing: a topic whose retention has no Kafka name, such as
/// `settled`, keeps that when what was described is sent back.
fn put(spec: &mut TopicSpec, name: &str, limit: Option<u64>) {
    let (ms, octets) = (spec.retention.ms(), spec.retention.octets());
    let (new_ms, new_octets) = if name == MS {
        (limit, octets)
    } else {
        (ms, limit)
    };
    if (new_ms, new_octets) != (ms, octets) {
        spec.retention = Retention::limits(new_ms, new_octets);
    }
}
