//! Settings of topics under Kafka's names: those that can be set, and those that hold always.

use standpipe_core::broker::{Limits, Retention, TopicSpec};

use super::failure::Failure;
use crate::codec::error_code::ErrorCode;

/// Types of settings, as DescribeConfigs numbers them.
pub(super) const INT: i8 = 3;
pub(super) const STRING: i8 = 2;
pub(super) const LONG: i8 = 5;
pub(super) const LIST: i8 = 7;

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
    let retention = spec.retention;
    let is_default = retention == Retention::default();
    let time = match retention {
        Retention::Time { ms } => ms.to_string(),
        Retention::Forever | Retention::Settled => "-1".into(),
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
        always("retention.bytes", "-1", LONG),
        Setting {
            name: "retention.ms",
            value: time,
            is_default,
            kind: LONG,
        },
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
    if name == "retention.ms" {
        spec.retention = match value.parse::<i64>() {
            Ok(-1) => Retention::Forever,
            Ok(ms) if ms >= 0 => Retention::Time {
                ms: ms.unsigned_abs(),
            },
            _ => return invalid(format!("retention.ms = {value}; -1 or milliseconds")),
        };
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
