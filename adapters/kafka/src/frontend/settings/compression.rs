//! How the broker compresses what Kafka's producers send to a topic. The core has no word for it: it is
//! noted on the topic, and acts where batches come in.

use standpipe_core::broker::{Topic, TopicSpec};

use super::{INT, STRING, Setting};
use crate::codec::records::Packing;

const TYPE: &str = "compression.type";
const GZIP_LEVEL: &str = "compression.gzip.level";
const ZSTD_LEVEL: &str = "compression.zstd.level";

/// Names, types and defaults, which are Kafka's.
const ALL: [(&str, i8, &str); 3] = [
    (TYPE, STRING, AS_PRODUCED),
    (GZIP_LEVEL, INT, "-1"),
    (ZSTD_LEVEL, INT, "3"),
];
/// Batches stay as their producers compressed them.
const AS_PRODUCED: &str = "producer";
const TYPES: &str = "producer, uncompressed, gzip, snappy, lz4, zstd";

/// Whether it is a setting of compression.
pub(super) fn is_one(name: &str) -> bool {
    ALL.iter().any(|(one, ..)| *one == name)
}

/// All of them, as a topic has them.
pub(super) fn all(spec: &TopicSpec) -> impl Iterator<Item = Setting> {
    ALL.into_iter().map(|(name, kind, default)| {
        let noted = spec.notes.get(name);
        Setting {
            name,
            is_default: noted.is_none(),
            value: noted.map_or(default, String::as_str).into(),
            kind,
            is_fixed: false,
        }
    })
}

/// # Errors
/// What is possible.
pub(super) fn set(spec: &mut TopicSpec, name: &str, value: &str) -> Result<(), &'static str> {
    let level = |least, most| {
        let level = value.parse::<i32>().ok();
        level.is_some_and(|level| (least..=most).contains(&level))
    };
    let (is_possible, possible) = match name {
        TYPE => (TYPES.split(", ").any(|one| one == value), TYPES),
        // 0 is no level of gzip: it would not compress.
        GZIP_LEVEL => (value != "0" && level(-1, 9), "-1, and 1 to 9"),
        _ => (level(-131_072, 22), "-131072 to 22"),
    };
    if !is_possible {
        return Err(possible);
    }
    spec.notes.insert(name.into(), value.into());
    Ok(())
}

/// How a topic's batches are compressed; `None` as they come.
pub(in crate::frontend) fn packing(topic: &Topic) -> Option<Packing> {
    let level = |name, default| {
        let noted = topic.note(name);
        noted
            .and_then(|level| level.parse().ok())
            .unwrap_or(default)
    };
    // What was noted was checked before.
    Some(match topic.note(TYPE)?.as_str() {
        "uncompressed" => Packing::None,
        "gzip" => Packing::Gzip(level(GZIP_LEVEL, -1)),
        "snappy" => Packing::Snappy,
        "lz4" => Packing::Lz4,
        "zstd" => Packing::Zstd(level(ZSTD_LEVEL, 3)),
        _ => return None,
    })
}
