//! The end of the journal: what was submitted and is not written yet.

use std::collections::VecDeque;

use bytes::BytesMut;
use uuid::Uuid;

use super::{
    header::{FILE_HEADER, FileHeader, FileId, Link, RECORD_HEADER},
    position::{BLOCK, Position},
    record::{Part, RecordWriter},
};

/// Octets that are written at once, at a multiple of them: who waits for the first ones goes on while
/// the next ones are written, and Linux keeps them in one large piece of memory.
const PIECE: u32 = 512 * 1024;
/// Pieces that a file has at least: small files have smaller ones.
const PIECES: u32 = 2;
/// Buffers that are kept for what comes next.
const SPARES: usize = 8;
/// At most one octet in so many is left unused to begin a block.
const UNUSED_SHARE: usize = 4;

/// Gives every record its place, and keeps its octets until the writer takes them.
#[derive(Debug)]
pub(crate) struct Pending {
    file_size: u32,
    /// Octets that are written at once: a multiple of a block.
    piece: u32,
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
    /// What the last record says of that.
    told: Position,
    /// Behind the last record that has steps.
    steps_end: Position,
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
            piece: (file_size / PIECES).next_multiple_of(BLOCK).min(PIECE),
            file: FileId {
                number: end.file,
                salt: Uuid::new_v4().as_u128() as u32,
                incarnation,
            },
            next: end,
            end,
            sealed: true,
            synced: end,
            told: end,
            steps_end: end,
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

    /// Whether something is synced and no record says so. A mark has nothing that one is needed for.
    pub(crate) fn owes_mark(&self) -> bool {
        self.synced.min(self.steps_end) > self.told
    }

    /// Whether the current file has room for a mark, and for what may be left unused before it.
    pub(crate) fn has_room_for_mark(&self) -> bool {
        self.next.at as usize + 2 * RECORD_HEADER <= self.file_size as usize
    }

    /// Whether the writer has nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Makes room for a record of at most `bound` octets; `seq` is the last commit before it.
    pub(crate) fn make_room(&mut self, bound: usize, seq: u64) {
        self.skip_rest_of_piece(bound);
        let full = self.next.at as usize + bound > self.file_size as usize;
        if self.sealed || (full && self.next.at as usize > FILE_HEADER) {
            self.open_file(seq);
        } else if self
            .parts
            .last()
            .is_none_or(|part| self.is_in_other_piece(part))
        {
            let bytes = self.spares.pop().unwrap_or_default();
            self.parts.push(Part::new(self.next, None, bytes));
        }
    }

    /// Goes on with the next piece where less than a block of this one is left, and too little: a
    /// record is looked for at the next block too.
    fn skip_rest_of_piece(&mut self, bound: usize) {
        let rest = self.piece - self.next.at % self.piece;
        if rest < BLOCK && bound > rest as usize {
            self.next.at += rest;
        }
    }

    fn is_in_other_piece(&self, part: &Part) -> bool {
        part.at.at / self.piece != self.next.at / self.piece
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
        self.told = self.synced;
        if steps > 0 {
            self.steps_end = self.end;
        }
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
        if self.spares.len() < SPARES && buffer.capacity() <= 4 * PIECE as usize {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use standpipe_core::{
        checksum::crc32c,
        entry::{Draft, Entry, Format},
        id::{LogId, Millis, Offset, PartitionId, TopicId},
        store::Epoch,
    };

    use super::*;
    use crate::store::record::RecordFacts;

    fn facts(pending: &Pending, seq: u64) -> RecordFacts {
        RecordFacts {
            salt: pending.salt(),
            seq,
            epoch: Epoch(1),
            synced: pending.synced,
        }
    }

    /// Adds a record with a body of so many octets.
    fn add(pending: &mut Pending, seq: u64, octets: usize) {
        let log = LogId {
            topic: TopicId(Uuid::nil()),
            partition: PartitionId(0),
        };
        let entry = Entry {
            base_offset: Offset(seq),
            appended: Millis(1),
            leader_epoch: 1,
            draft: Draft::single(Format::NATIVE, Bytes::from(vec![7; octets])),
        };
        pending.make_room(octets + 512, seq - 1);
        let facts = facts(pending, seq);
        pending.record(1, |mut writer| {
            writer.append(log, &entry, crc32c(entry.body()));
            writer.finish(facts);
        });
    }

    #[test]
    fn parts_begin_with_pieces_and_leave_less_than_a_block_unused() {
        let mut pending = Pending::new(Position::default(), 1, 32 * PIECE);
        (1..5_000).for_each(|seq| add(&mut pending, seq, 1_000));
        let (parts, end) = pending.take();
        assert!(parts.len() > 5 && end.at > 5 * PIECE);
        assert_eq!(parts[0].at.at, FILE_HEADER as u32);
        for (before, part) in parts.iter().zip(parts.iter().skip(1)) {
            assert_eq!(part.at.at % PIECE, 0, "{}", part.at);
            assert!(part.at.at - before.end().at < BLOCK, "{}", part.at);
        }
    }

    #[test]
    fn a_record_that_is_larger_than_what_is_left_lies_across_pieces() {
        let mut pending = Pending::new(Position::default(), 1, 32 * PIECE);
        (1..20).for_each(|seq| add(&mut pending, seq, 300_000));
        let (parts, _) = pending.take();
        let gapless = |(before, part): (&Part, &Part)| before.end() == part.at;
        assert!(parts.iter().zip(parts.iter().skip(1)).all(gapless));
    }

    #[test]
    fn a_mark_is_owed_for_what_was_synced_since_the_last_record_and_never_for_a_mark() {
        let mut pending = Pending::new(Position::default(), 1, 32 * PIECE);
        assert!(!pending.owes_mark(), "nothing was written");
        add(&mut pending, 1, 100);
        assert!(!pending.owes_mark(), "nothing is synced");
        let first = pending.end();
        add(&mut pending, 2, 100);
        pending.synced = first;
        assert!(pending.owes_mark(), "the second says nothing of the first");
        pending.synced = pending.end();
        assert!(pending.owes_mark() && pending.has_room_for_mark());
        pending.make_room(RECORD_HEADER, 2);
        let mark = facts(&pending, 3);
        pending.record(0, |writer| writer.finish(mark));
        assert!(!pending.owes_mark(), "the mark says so");
        pending.synced = pending.end();
        assert!(!pending.owes_mark(), "only the mark is synced besides");
        add(&mut pending, 4, 100);
        assert!(!pending.owes_mark(), "the record says so");
    }
}
