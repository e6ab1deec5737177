//! One log's entries in one segment.

use bytes::BufMut;
use standpipe_core::{
    error::Result,
    id::{LogId, Millis, Offset, PartitionId, TopicId},
    wire::Reader,
};
use uuid::Uuid;

/// Where a stretch of a log lies, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) segment: u64,
    /// The commit that brought the log into being: one that was dropped and came again is another.
    pub(crate) born: u64,
    pub(crate) base: Offset,
    /// Behind its last entry.
    pub(crate) end: Offset,
    /// Place of the first entry in the file.
    pub(crate) at: u64,
    /// Octets of entries, without the points that follow them.
    pub(crate) length: u64,
    pub(crate) points: u32,
    pub(crate) points_crc: u32,
    /// Octets of bodies.
    pub(crate) octets: u64,
    pub(crate) entries: u64,
    /// Offsets that its entries cover: fewer than from base to end where there are holes.
    pub(crate) offsets: u64,
    /// The latest time that a look-up by time compares.
    pub(crate) latest: i64,
    /// When its last entry was appended.
    pub(crate) appended: Millis,
}

impl Run {
    /// Octets in the file, points included.
    pub(crate) fn stored(&self) -> u64 {
        let points = u64::from(self.points) * super::point::POINT as u64;
        self.length.saturating_add(points)
    }

    pub(super) fn put(&self, log: LogId, out: &mut Vec<u8>) {
        out.put_slice(log.topic.0.as_bytes());
        out.put_u32(log.partition.0);
        for number in [self.born, self.base.0, self.end.0, self.at, self.length] {
            out.put_u64(number);
        }
        out.put_u32(self.points);
        out.put_u32(self.points_crc);
        out.put_u64(self.octets);
        out.put_u64(self.entries);
        out.put_i64(self.latest);
        out.put_i64(self.appended.0);
    }

    pub(super) fn take(segment: u64, reader: &mut Reader) -> Result<(LogId, Self)> {
        let topic = Uuid::from_slice(&reader.take(16)?).map_err(|_| reader.invalid("no id"))?;
        let log = LogId {
            topic: TopicId(topic),
            partition: PartitionId(reader.u32()?),
        };
        let run = Self {
            segment,
            born: reader.u64()?,
            base: Offset(reader.u64()?),
            end: Offset(reader.u64()?),
            at: reader.u64()?,
            length: reader.u64()?,
            points: reader.u32()?,
            points_crc: reader.u32()?,
            octets: reader.u64()?,
            entries: reader.u64()?,
            offsets: 0,
            latest: reader.i64()?,
            appended: Millis(reader.i64()?),
        };
        Ok((log, run))
    }
}
