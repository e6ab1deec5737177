//! Segments: what the journal's older files held and somebody still needs, sorted by log.
//!
//! ```text
//! header   64 octets: magic · 8 number · 44 zero · 4 crc32c of the first 16
//! runs     for each log its entries in order, envelope and body as the journal had them,
//!          then points: where every 16 KiB or so an entry begins
//! table    4 count · a record a run · 8 offsets a run · 4 crc32c
//! footer   32 octets: magic · 8 place of the table · 4 its length · 8 number · 4 crc32c
//! ```
//! A segment is written whole and synced before a checkpoint counts it, and never changed; what
//! nobody needs any more is punched out of it, and when nothing is left it is removed.

mod copy;
mod files;
mod point;
mod point_cache;
mod read;
mod remade;
mod run;
mod table;
mod walk;
mod writer;

pub(crate) use copy::{copy_log, copy_run};
pub(crate) use files::Segments;
pub(crate) use point::whole_points;
pub(crate) use read::{entry_for_time, read, trim_point};
pub(crate) use run::Run;
pub(crate) use table::{mended_in_table, read_table, starts_as_segment};
pub(crate) use walk::{Found, Walk, walk};
pub(crate) use writer::SegmentWriter;

/// Octets before the first run.
pub(crate) const HEADER: usize = 64;
const FOOTER: usize = 32;
const MAGIC: &[u8; 8] = b"SPSEGMT1";
const END_MAGIC: &[u8; 8] = b"SPSEGEND";

/// The name of a segment's file.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:012}.segment")
}

/// The number in a segment's name; `None` for any other name.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".segment")?.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}
