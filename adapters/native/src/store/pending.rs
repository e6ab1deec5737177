//! The end of the journal: what was submitted and is not written yet.

use std::collections::VecDeque;

use bytes::BytesMut;
use uuid::Uuid;

use super::{
    header::{FILE_HEADER, FileHeader, FileId, Link},
    position::{BLOCK, Position},
    record::{Part, RecordWriter},
};

/// Octets that are written at once, about: who waits for the first ones goes on while the next ones
/// are written.
const PIECE: usize = 512 * 1024;
/// Buffers that are kept for what comes next.
const SPARES: usize = 8;
/// At most one octet in so many is left unused to begin a block.
const UNUSED_SHARE: usize = 4;

/// Gives every record its place, and keeps its octets until the writer takes them.
#[derive(Debug)]
pub(crate) struct Pending {
    file_size: u32,
    /// Of the current file; before the first one is opened, its salt is nobody's.
    file: FileId,
    /// Where the next record goes, unless it opens a file.
    next: Position,
    /// Behind the last record; before `next` where a block was left unfinished.
    end: Position,
    /// Whether the next record opens a file whatever the room: the last one is another run's.
    sealed: bool,
    /// Everything before this is synced.
    pub(crate) synced: Position,
    parts: Vec<Part>,
    /// Octets that are not written, those with the writer included.
    pub(crate) unwritten: usize,
    spares: Vec<BytesMut>,
}

impl Pending {
    /// Goes on behind `end`, which is synced, in a new file.
    pub(crate) fn new(end: Position, incarnation: u32, file_size: u32) -> Self {
        Self {
            file_size,
            file: FileId {
                number: end.file,
                salt: Uuid::new_v4().as_u128() as u32,
                incarnation,
            },
            next: end,
            end,
            sealed: true,
            synced: end,
            parts: Vec::new(),
            unwritten: 0,
            spares: Vec::new(),
        }
    }

    /// The leader epoch of what is appended.
    pub(crate) fn incarnation(&self) -> u32 {
        self.file.incarnation
    }

    /// The salt of the current file.
    pub(crate) fn salt(&self) -> u32 {
        self.file.salt
    }

    /// Where the journal ends, what waits to be written included.
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// Whether nothing was submitted since the store was opened.
    pub(crate) fn is_untouched(&self) -> bool {
        self.sealed
    }

    /// Whether the writer has nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Makes room for a record of at most `bound` octets; `seq` is the last commit before it.
    pub(crate) fn make_room(&mut self, bound: usize, seq: u64) {
        let full = self.next.at as usize + bound > self.file_size as usize;
        if self.sealed || (full && self.next.at as usize > FILE_HEADER) {
            self.open_file(seq);
        } else if self.parts.last().is_none_or(|part| part.len() >= PIECE) {
            let bytes = self.spares.pop().unwrap_or_default();
            self.parts.push(Part::new(self.next, None, bytes));
        }
    }

    /// Adds a record of `steps` steps to the part that [`Pending::make_room`] provided.
    pub(crate) fn record<T>(
        &mut self,
        steps: usize,
        write: impl FnOnce(RecordWriter<'_>) -> T,
    ) -> T {
        let part = self.parts.last_mut().expect("make_room provides a part");
        let before = part.len();
        let result = write(RecordWriter::begin(part, steps));
        self.unwritten += part.len() - before;
        self.end = part.end();
        self.next = self.end;
        result
    }

    fn open_file(&mut self, seq: u64) {
        self.file = self.file.next();
        let header = FileHeader {
            id: self.file,
            link: Link {
                previous_end: self.end.at,
                previous_seq: seq,
                synced: self.synced,
            },
        };
        self.sealed = false;
        self.next = Position::new(self.file.number, FILE_HEADER as u32);
        self.end = self.next;
        let bytes = self.spares.pop().unwrap_or_default();
        self.parts.push(Part::new(self.next, Some(header), bytes));
    }

    /// Everything that waits, for the writer. What comes after begins a block of its own where that
    /// leaves little unused: else a sync that follows writes this batch's last block once more.
    pub(crate) fn take(&mut self) -> (VecDeque<Part>, Position) {
        let parts = std::mem::take(&mut self.parts);
        let file = |part: &&Part| part.at.file == self.end.file;
        let written: usize = parts.iter().filter(file).map(Part::len).sum();
        let unused = self.end.at.next_multiple_of(BLOCK) - self.end.at;
        if unused as usize * UNUSED_SHARE <= written {
            self.next = Position::new(self.end.file, self.end.at + unused);
        }
        (parts.into(), self.end)
    }

    /// Takes back a written part's buffer for a later one.
    pub(crate) fn give_back(&mut self, mut buffer: BytesMut) {
        // One that a large commit made large is not kept.
        if self.spares.len() < SPARES && buffer.capacity() <= 4 * PIECE {
            buffer.clear();
            self.spares.push(buffer);
        }
    }

    /// Whether it keeps memory that it does not need.
    pub(crate) fn has_spares(&self) -> bool {
        !self.spares.is_empty()
    }

    /// Gives memory back while nothing happens.
    pub(crate) fn rest(&mut self) {
        self.spares = Vec::new();
    }
}
