//! Entries as record batches: Kafka's own verbatim, those of other protocols converted.

use bytes::BytesMut;
use standpipe_core::{
    codec::Codecs,
    entry::{Entry, Format},
    id::Offset,
};

use super::failures::Failures;
use crate::codec::records::{BatchBuilder, put_patched, record_of};

/// Entries of other protocols are put together in batches of about this many octets.
const BATCH_BYTES: usize = 256 << 10;
/// A batch spans at most so many offsets.
const BATCH_SPAN: u64 = 1 << 20;

/// -1 on the wire: a batch that no leader wrote.
const NO_EPOCH: u32 = u32::MAX;

/// A batch that is being put together.
struct Run {
    builder: BatchBuilder,
    base: Offset,
    end: Offset,
    leader_epoch: u32,
}

/// Appends entries as batches. What does not convert is left out, and told to `skipped`: its offsets
/// are covered all the same, so that readers get past it.
pub(super) fn put(
    entries: &[Entry],
    codecs: &Codecs,
    topic: &str,
    skipped: &mut Failures,
    out: &mut BytesMut,
) {
    let octets = entries.iter().map(|entry| entry.body().len() + 64);
    out.reserve(octets.sum());
    let mut run: Option<Run> = None;
    for entry in entries {
        if entry.draft.format == Format::KAFKA2 {
            finish(run.take(), out);
            put_patched(entry, out);
            continue;
        }
        if run.as_ref().is_some_and(|run| !run.takes(entry)) {
            finish(run.take(), out);
        }
        let run = run.get_or_insert_with(|| Run::at(entry));
        run.push(entry, codecs, topic, skipped);
    }
    finish(run, out);
}

/// Appends a batch without records that ends before `end`: its reader goes on there.
pub(super) fn put_nothing_below(end: Offset, out: &mut BytesMut) {
    let last = Offset(end.0.saturating_sub(1));
    BatchBuilder::new(last, NO_EPOCH).finish(last.next(), out);
}

impl Run {
    fn at(entry: &Entry) -> Self {
        Self {
            builder: BatchBuilder::new(entry.base_offset, entry.leader_epoch),
            base: entry.base_offset,
            end: entry.base_offset,
            leader_epoch: entry.leader_epoch,
        }
    }

    fn takes(&self, entry: &Entry) -> bool {
        self.leader_epoch == entry.leader_epoch
            && self.builder.size() < BATCH_BYTES
            && entry.end_offset().0 - self.base.0 <= BATCH_SPAN
    }

    fn push(&mut self, entry: &Entry, codecs: &Codecs, topic: &str, skipped: &mut Failures) {
        match codecs.decode(entry) {
            Ok(messages) => {
                for (offset, message) in messages {
                    let (record, time) = record_of(&message);
                    self.builder.push(offset, time, record);
                }
            }
            Err(error) => {
                let offset = entry.base_offset;
                skipped.add(format_args!("{topic}, offset {offset}"), &error);
            }
        }
        self.end = entry.end_offset();
    }
}

fn finish(run: Option<Run>, out: &mut BytesMut) {
    if let Some(run) = run {
        run.builder.finish(run.end, out);
    }
}
