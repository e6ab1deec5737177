//! A record while it is put together, in octets that wait to be written.

use std::io::IoSlice;

use bytes::{BufMut, Bytes, BytesMut};
use foldhash::{HashMap, HashMapExt};
use standpipe_core::{
    checksum::Crc32c,
    entry::{Entry, EntryHead, Flags},
    id::LogId,
    store::{Epoch, Op},
};

use super::{
    header::{FileHeader, RECORD_HEADER, RecordHeader},
    position::Position,
    step,
    sums::is_same,
};

/// Bodies from this size on are written from where they are, not copied.
const LARGE: usize = 32 * 1024;
/// Bodies up to this size are cheaper to repeat than to look up.
const SHARE_ABOVE: usize = 16;
/// Octets of a step and of its envelope besides what the caller brings: an upper bound.
const STEP_BOUND: usize = 256;

/// Octets that follow each other in one file and wait to be written.
#[derive(Debug)]
pub(crate) struct Part {
    /// Where the first octet goes.
    pub(crate) at: Position,
    /// The file is new and begins with this.
    pub(crate) new_file: Option<FileHeader>,
    /// The last commit in it.
    pub(crate) seq: u64,
    pub(crate) bytes: BytesMut,
    large: Vec<(usize, Bytes)>,
    large_octets: usize,
}

impl Part {
    /// An empty part that begins at `at`; `bytes` is an empty buffer to use.
    pub(crate) fn new(at: Position, new_file: Option<FileHeader>, bytes: BytesMut) -> Self {
        Self {
            at,
            new_file,
            seq: 0,
            bytes,
            large: Vec::new(),
            large_octets: 0,
        }
    }

    /// Octets to write.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.large_octets
    }

    /// Where the next octet goes.
    pub(crate) fn end(&self) -> Position {
        let length = u32::try_from(self.len()).expect("a journal file is below 4 GiB");
        Position::new(self.at.file, self.at.at + length)
    }

    /// All octets, in order.
    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(1 + 2 * self.large.len());
        let mut from = 0;
        for (at, body) in &self.large {
            slices.push(IoSlice::new(&self.bytes[from..*at]));
            slices.push(IoSlice::new(body));
            from = *at;
        }
        slices.push(IoSlice::new(&self.bytes[from..]));
        slices
    }

    fn push_body(&mut self, body: &Bytes) {
        if body.len() < LARGE {
            self.bytes.extend_from_slice(body);
        } else {
            self.large.push((self.bytes.len(), body.clone()));
            self.large_octets += body.len();
        }
    }
}

/// Where an entry's octets lie in its file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) file: u32,
    pub(crate) head: u32,
    pub(crate) head_length: u32,
    pub(crate) body: u32,
    pub(crate) body_length: u32,
}

impl Extent {
    /// The same place without any octets.
    pub(crate) fn nothing(self) -> Self {
        Self {
            head_length: 0,
            body: self.head,
            body_length: 0,
            ..self
        }
    }
}

/// What the record's header says besides length and checksum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordFacts {
    pub(crate) salt: u32,
    pub(crate) seq: u64,
    pub(crate) epoch: Epoch,
    pub(crate) synced: Position,
}

/// Appends one record to a part, step by step.
#[derive(Debug)]
pub(crate) struct RecordWriter<'a> {
    part: &'a mut Part,
    /// Where the header goes, in the part's octets and in the file.
    header: usize,
    start: u32,
    /// Checksum of the steps up to `summed`.
    crc: Crc32c,
    summed: usize,
    /// Places of bodies by address and length, where there are several.
    bodies: Option<HashMap<(usize, usize), u32>>,
}

impl<'a> RecordWriter<'a> {
    /// Begins a record of `steps` steps behind what the part has.
    pub(crate) fn begin(part: &'a mut Part, steps: usize) -> Self {
        let (header, start) = (part.bytes.len(), part.end().at);
        part.bytes.put_bytes(0, RECORD_HEADER);
        Self {
            part,
            header,
            start,
            crc: Crc32c::default(),
            summed: header + RECORD_HEADER,
            bodies: (steps > 1).then(HashMap::new),
        }
    }

    /// Adds a step that is no append.
    pub(crate) fn step(&mut self, op: &Op) {
        let out = &mut self.part.bytes;
        match op {
            Op::Append { .. } => unreachable!("appends are entries by now"),
            Op::Trim { log, below } => step::put_trim(out, *log, *below),
            Op::Forget { log, range } => step::put_forget(out, *log, range),
            Op::DropLog { log } => step::put_drop_log(out, *log),
            Op::PutIf { key, value, .. } => step::put_key(out, key, value.as_deref()),
            Op::Cursor {
                cursor,
                change,
                reset,
            } => step::put_cursor(out, *cursor, change, *reset),
            Op::DropCursor { cursor } => step::put_drop_cursor(out, *cursor),
        }
    }

    /// Adds an entry whose body has the checksum `sum`; a body that this record has already is not
    /// written again.
    pub(crate) fn append(&mut self, log: LogId, entry: &Entry, sum: u32) -> Extent {
        let body = entry.body();
        let same = (body.as_ptr() as usize, body.len());
        let earlier = self
            .bodies
            .as_ref()
            .and_then(|bodies| bodies.get(&same).copied());
        let head = match earlier {
            None => {
                step::put_log(&mut self.part.bytes, step::APPEND, log);
                self.envelope(entry, entry.draft.flags, sum)
            }
            Some(place) => {
                step::put_log(&mut self.part.bytes, step::APPEND_SHARED, log);
                self.part.bytes.put_u32(place - self.start);
                let flags = entry.draft.flags.with(Flags::BODY_BY_REFERENCE);
                self.envelope(entry, flags, sum)
            }
        };
        let body_place = earlier.unwrap_or_else(|| self.body(body));
        if let Some(bodies) = self.bodies.as_mut().filter(|_| body.len() > SHARE_ABOVE) {
            bodies.insert(same, body_place);
        }
        Extent {
            file: self.part.at.file,
            head: head.0,
            head_length: head.1,
            body: body_place,
            body_length: u32::try_from(body.len()).expect("a record is below 4 GiB"),
        }
    }

    /// Place and length of the envelope.
    fn envelope(&mut self, entry: &Entry, flags: Flags, sum: u32) -> (u32, u32) {
        let at = self.part.end().at;
        EntryHead::encode(entry, flags, sum, &mut self.part.bytes);
        (at, self.part.end().at - at)
    }

    fn body(&mut self, body: &Bytes) -> u32 {
        self.sum();
        let at = self.part.end().at;
        self.part.push_body(body);
        self.summed = self.part.bytes.len();
        at
    }

    fn sum(&mut self) {
        self.crc.update(&self.part.bytes[self.summed..]);
        self.summed = self.part.bytes.len();
    }

    /// Completes the record with its header.
    pub(crate) fn finish(mut self, facts: RecordFacts) {
        self.sum();
        let header = RecordHeader {
            salt: facts.salt,
            length: self.part.end().at - self.start,
            seq: facts.seq,
            epoch: facts.epoch.0,
            synced: facts.synced,
            steps_crc: self.crc.sum(),
        };
        self.part.seq = facts.seq;
        self.part.bytes[self.header..self.header + RECORD_HEADER].copy_from_slice(&header.encode());
    }
}

/// An upper bound of the octets of a record of `ops`. A body that goes to several logs counts once.
pub(crate) fn record_bound(ops: &[Op]) -> usize {
    let mut last: Option<&Bytes> = None;
    let brought = ops.iter().map(|op| match op {
        Op::Append { draft, .. } => {
            let body = &draft.body;
            let again = last.replace(body).is_some_and(|last| is_same(last, body));
            let shared = again && body.len() > SHARE_ABOVE;
            let overlay = draft.fields.overlay.as_ref().map_or(0, Bytes::len);
            overlay + if shared { 0 } else { body.len() }
        }
        Op::PutIf { key, value, .. } => key.len() + value.as_ref().map_or(0, Bytes::len),
        Op::Cursor { change, .. } => change.len(),
        Op::Trim { .. } | Op::Forget { .. } | Op::DropLog { .. } | Op::DropCursor { .. } => 0,
    });
    RECORD_HEADER + brought.map(|octets| octets + STEP_BOUND).sum::<usize>()
}
