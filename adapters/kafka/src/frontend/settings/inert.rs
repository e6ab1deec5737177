//! Settings that tune Kafka's own files and replicas, of which there are none here: they are kept and
//! described as they were set, since tools set them, and change nothing.
//!
//! Only what promises nothing to anybody is among them. A setting that would be believed in, such as
//! `flush.messages` or `min.insync.replicas`, is fixed instead.

use standpipe_core::broker::TopicSpec;

use super::{BOOL, INT, LIST, LONG, Setting};

/// A setting without effect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inert {
    name: &'static str,
    kind: i8,
    default: &'static str,
    values: Values,
}

#[derive(Debug, Clone, Copy)]
enum Values {
    Bool,
    /// Whole numbers, both ends among them.
    Between(i64, i64),
    /// `*`, or `PARTITION:BROKER` any number of times.
    Replicas,
}

use Values::{Between, Bool, Replicas};

const INT_MAX: i64 = i32::MAX as i64;

/// Kafka's own defaults and ranges.
#[rustfmt::skip]
const ALL: [Inert; 12] = [
    inert("compression.lz4.level", INT, "9", Between(1, 17)),
    inert("file.delete.delay.ms", LONG, "60000", Between(0, i64::MAX)),
    inert("follower.replication.throttled.replicas", LIST, "", Replicas),
    inert("index.interval.bytes", INT, "4096", Between(0, INT_MAX)),
    inert("leader.replication.throttled.replicas", LIST, "", Replicas),
    inert("message.downconversion.enable", BOOL, "true", Bool),
    inert("preallocate", BOOL, "false", Bool),
    inert("segment.bytes", INT, "1073741824", Between(14, INT_MAX)),
    inert("segment.index.bytes", INT, "10485760", Between(4, INT_MAX)),
    inert("segment.jitter.ms", LONG, "0", Between(0, i64::MAX)),
    inert("segment.ms", LONG, "604800000", Between(1, i64::MAX)),
    inert("unclean.leader.election.enable", BOOL, "false", Bool),
];

const fn inert(name: &'static str, kind: i8, default: &'static str, values: Values) -> Inert {
    Inert {
        name,
        kind,
        default,
        values,
    }
}

/// The one of that name.
pub(super) fn find(name: &str) -> Option<Inert> {
    ALL.into_iter().find(|one| one.name == name)
}

/// All of them, as a topic has them.
pub(super) fn all(spec: &TopicSpec) -> impl Iterator<Item = Setting> {
    ALL.into_iter().map(|one| {
        let noted = spec.notes.get(one.name);
        Setting {
            name: one.name,
            is_default: noted.is_none(),
            value: noted.cloned().unwrap_or_else(|| one.default.into()),
            kind: one.kind,
            is_fixed: false,
        }
    })
}

impl Inert {
    /// # Errors
    /// What is possible.
    pub(super) fn set(self, spec: &mut TopicSpec, value: &str) -> Result<(), String> {
        if let Some(possible) = self.refusal(value) {
            return Err(possible);
        }
        spec.notes.insert(self.name.into(), value.into());
        Ok(())
    }

    /// Forgets what was set.
    pub(super) fn reset(self, spec: &mut TopicSpec) {
        spec.notes.remove(self.name);
    }

    fn refusal(self, value: &str) -> Option<String> {
        match self.values {
            Bool if matches!(value, "true" | "false") => None,
            Bool => Some("true or false".into()),
            Between(least, most) => {
                let number = value.parse::<i64>().ok();
                let fits = number.is_some_and(|number| (least..=most).contains(&number));
                (!fits).then(|| format!("{least} to {most}"))
            }
            Replicas => {
                let is_replica = |word: &str| {
                    let parts = word.split_once(':');
                    parts.is_some_and(|(partition, broker)| {
                        partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok()
                    })
                };
                let is_known =
                    matches!(value, "" | "*") || value.split(',').map(str::trim).all(is_replica);
                (!is_known).then(|| "*, or a list of PARTITION:BROKER".into())
            }
        }
    }
}
