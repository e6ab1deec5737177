//! What a checkpoint says, put together while nobody commits; written later.

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use foldhash::HashMap;
use standpipe_core::{
    checksum::crc32c,
    id::{LogId, Offset},
    ranges::Ranges,
    store::Epoch,
    wire::Writer,
};

use super::{
    checkpoint::{CURSOR, FRAME, Facts, HEADER, KEY, LOG, LOST, MAGIC, USED},
    contents::Contents,
    log::LogFacts,
    position::Position,
};

/// Octets of a payload at most: what is larger is cut into several.
const LARGEST: usize = 2 * FRAME;

/// What a checkpoint says of the contents, as of a commit.
pub(crate) struct Snapshot {
    /// The last commit that it counts.
    pub(crate) seq: u64,
    /// Where the journal ended with that.
    pub(crate) end: Position,
    epoch: Epoch,
    /// Keys and cursors.
    frames: Frames,
    logs: HashMap<LogId, LogFacts>,
}

impl Snapshot {
    /// Of all of `contents`, with which the journal ends at `end`.
    pub(crate) fn of(contents: &Contents, end: Position) -> Self {
        let mut frames = Frames::default();
        for (key, value) in &contents.keys {
            let item = frames.item(KEY);
            item.put_bytes_with_length(key);
            item.put_bytes_with_length(value);
        }
        for (cursor, changes) in &contents.cursors {
            for (index, change) in changes.to_vec().iter().enumerate() {
                let item = frames.item(CURSOR);
                item.put_slice(cursor.subscription.0.as_bytes());
                item.put_u32(cursor.partition.0);
                item.put_u8(u8::from(index == 0));
                item.put_bytes_with_length(change);
            }
        }
        let logs = contents.logs.iter().map(|(id, log)| (*id, log.facts()));
        Self {
            seq: contents.seq,
            end,
            epoch: contents.epoch,
            frames,
            logs: logs.collect(),
        }
    }

    /// Entries of `log` below `below` are in a segment by now.
    pub(crate) fn settle_in(&mut self, log: LogId, below: Offset) {
        if let Some(facts) = self.logs.get_mut(&log) {
            facts.journal_from = facts.journal_from.max(below);
        }
    }

    /// All octets of the checkpoint.
    pub(crate) fn encode(self, facts: Facts) -> Vec<u8> {
        let mut frames = self.frames;
        for (id, log) in &self.logs {
            put_log(frames.item(LOG), *id, log);
            if !log.lost.is_empty() {
                let item = frames.item(LOST);
                put_id(item, *id);
                put_ranges(item, &log.lost);
            }
        }
        let (count, frames) = frames.finish();
        let mut out = Vec::with_capacity(HEADER + frames.len());
        out.put_slice(MAGIC);
        out.put_u64(self.seq);
        out.put_u64(self.epoch.0);
        out.put_u32(facts.incarnation);
        out.put_u32(facts.first_file);
        out.put_u64(facts.next_segment);
        out.put_u64(count);
        let crc = crc32c(&out);
        out.put_bytes(0, HEADER - USED - 4);
        out.put_u32(crc);
        out.extend_from_slice(&frames);
        out
    }
}

#[derive(Default)]
struct Frames {
    done: Vec<u8>,
    count: u64,
    payload: BytesMut,
}

impl Frames {
    fn item(&mut self, tag: u8) -> &mut BytesMut {
        if self.payload.len() >= FRAME {
            self.end_frame();
        }
        self.payload.put_u8(tag);
        &mut self.payload
    }

    fn end_frame(&mut self) {
        for payload in self.payload.chunks(LARGEST) {
            let start = self.done.len();
            self.done.put_u32(payload.len() as u32);
            self.done.put_u32(crc32c(payload));
            let crc = crc32c(&self.done[start..]);
            self.done.put_u32(crc);
            self.done.extend_from_slice(payload);
            self.count += 1;
        }
        self.payload.clear();
    }

    fn finish(mut self) -> (u64, Vec<u8>) {
        if !self.payload.is_empty() {
            self.end_frame();
        }
        (self.count, self.done)
    }
}

fn put_log(out: &mut BytesMut, id: LogId, facts: &LogFacts) {
    put_id(out, id);
    out.put_u64(facts.born);
    for offset in [facts.start, facts.end, facts.journal_from] {
        out.put_u64(offset.0);
    }
    out.put_i64(facts.appended.0);
    put_ranges(out, &facts.forgotten);
}

fn put_id(out: &mut BytesMut, id: LogId) {
    out.put_slice(id.topic.0.as_bytes());
    out.put_u32(id.partition.0);
}

fn put_ranges(out: &mut BytesMut, ranges: &Ranges) {
    out.put_varint(ranges.iter().len() as u64);
    for Range { start, end } in ranges.iter() {
        out.put_varint(start.0);
        out.put_varint(end.0);
    }
}
