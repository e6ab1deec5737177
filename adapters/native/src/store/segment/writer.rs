//! Writing a segment.

use std::{io, sync::Arc};

use bytes::BytesMut;
use standpipe_core::{
    checksum::crc32c,
    entry::Entry,
    id::{LogId, Millis, Offset},
};

use super::{
    Run,
    point::Points,
    segment_name,
    table::{footer, header, table},
};
use crate::store::vfs::{Disk, File, write_all_at};

/// Octets that are written at once, at a multiple of them: Linux keeps what was written so in large
/// pieces of memory, and reads of those are twice as fast as of what drifts.
const PIECE: usize = 1024 * 1024;
/// Octets after which the device begins to write: it would only do so at the end.
const BEGIN: u64 = 8 * 1024 * 1024;

/// A segment that is being written; nothing counts before [`SegmentWriter::finish`].
pub(crate) struct SegmentWriter {
    number: u64,
    file: Arc<dyn File>,
    /// Where `buffer` goes.
    at: u64,
    /// Up to where the device was told to begin.
    begun: u64,
    buffer: BytesMut,
    /// Octets that the file may have.
    room: u64,
    runs: Vec<(LogId, Run)>,
    run: Option<(LogId, Run)>,
    points: Points,
}

impl SegmentWriter {
    /// Makes the file of segment `number`.
    pub(crate) fn create(disk: &dyn Disk, number: u64) -> io::Result<Self> {
        let file = disk.create(&segment_name(number), 0)?;
        let mut buffer = BytesMut::with_capacity(PIECE);
        buffer.extend_from_slice(&header(number));
        Ok(Self {
            number,
            file,
            at: 0,
            begun: 0,
            buffer,
            room: u64::MAX,
            runs: Vec::new(),
            run: None,
            points: Points::default(),
        })
    }

    /// The same, for a file of at most `room` octets: what is more is refused as on a full disk.
    pub(crate) fn with_room(self, room: u64) -> Self {
        Self { room, ..self }
    }

    /// Goes on with `log`, which was born with commit `born`.
    pub(crate) fn begin(&mut self, log: LogId, born: u64) {
        let run = Run {
            segment: self.number,
            born,
            base: Offset::ZERO,
            end: Offset::ZERO,
            at: self.place(),
            length: 0,
            points: 0,
            points_crc: 0,
            octets: 0,
            entries: 0,
            offsets: 0,
            latest: i64::MIN,
            appended: Millis(0),
        };
        self.run = Some((log, run));
    }

    /// Adds an entry's octets; `entry` is what its envelope says.
    pub(crate) fn entry(&mut self, head: &[u8], body: &[u8], entry: &Entry) -> io::Result<()> {
        let at = self.place();
        let (_, run) = self.run.as_mut().expect("a run was begun");
        let in_run = at - run.at;
        if run.entries == 0 {
            run.base = entry.base_offset;
        }
        self.points.add(entry, in_run, run.octets);
        if entry.draft.visible > 0 {
            run.latest = run.latest.max(entry.time().0);
        }
        run.end = entry.end_offset();
        run.octets += body.len() as u64;
        run.entries += 1;
        run.offsets += u64::from(entry.draft.span);
        run.appended = run.appended.max(entry.appended);
        self.put(head)?;
        self.put(body)
    }

    /// Ends the log's run; one without entries is none, which is false.
    pub(crate) fn end(&mut self) -> io::Result<bool> {
        let at = self.place();
        let Some((log, mut run)) = self.run.take().filter(|(_, run)| run.entries > 0) else {
            return Ok(false);
        };
        let points = std::mem::take(&mut self.points);
        run.length = at - run.at;
        run.points = points.count();
        let points = points.encode();
        run.points_crc = crc32c(&points);
        self.runs.push((log, run));
        self.put(&points).map(|()| true)
    }

    /// Ends the log's run as if it had not begun; what was written of it is no run's.
    pub(crate) fn give_up(&mut self) {
        self.run = None;
        self.points = Points::default();
    }

    /// Writes table and footer, and syncs; returns the runs.
    pub(crate) fn finish(mut self) -> io::Result<Vec<(LogId, Run)>> {
        let (at, table) = (self.place(), table(&self.runs));
        self.put(&table)?;
        self.put(&footer(self.number, at, table.len()))?;
        self.write()?;
        self.file.sync()?;
        Ok(self.runs)
    }

    /// Whether it has no run so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn place(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    fn put(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while self.buffer.len() + octets.len() >= PIECE {
            let (these, later) = octets.split_at(PIECE - self.buffer.len());
            self.buffer.extend_from_slice(these);
            self.write()?;
            octets = later;
        }
        self.buffer.extend_from_slice(octets);
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        if self.place() > self.room {
            let message = format!("it may have {} octets, for want of space", self.room);
            return Err(io::Error::new(io::ErrorKind::StorageFull, message));
        }
        write_all_at(&*self.file, &mut [io::IoSlice::new(&self.buffer)], self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        if self.at - self.begun >= BEGIN {
            self.file.begin_sync(self.begun, self.at - self.begun);
            self.begun = self.at;
        }
        Ok(())
    }
}

impl std::fmt::Debug for SegmentWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentWriter")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
