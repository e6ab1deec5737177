//! Batches of what other protocols published.

use bytes::{BufMut, BytesMut};
use standpipe_core::{
    checksum::crc32c,
    id::{Millis, Offset},
};

use super::{
    header::{BEFORE_LENGTH, CRC_AT, CRC_FROM, LENGTH},
    record::Record,
};

/// Builds one batch, not compressed; offsets may have holes, at its ends too.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    base: Offset,
    leader_epoch: u32,
    first: Option<Millis>,
    latest: Millis,
    count: i32,
    records: BytesMut,
}

impl BatchBuilder {
    /// A batch that begins at `base`.
    pub(crate) fn new(base: Offset, leader_epoch: u32) -> Self {
        Self {
            base,
            leader_epoch,
            first: None,
            latest: Millis(i64::MIN),
            count: 0,
            records: BytesMut::new(),
        }
    }

    /// Adds a record; offsets rise.
    pub(crate) fn push(&mut self, offset: Offset, time: Millis, mut record: Record) {
        let first = *self.first.get_or_insert(time);
        self.latest = self.latest.max(time);
        record.timestamp_delta = time.0.wrapping_sub(first.0);
        record.offset_delta = self.delta(offset);
        record.write(&mut self.records);
        self.count += 1;
    }

    /// Octets so far.
    pub(crate) fn size(&self) -> usize {
        LENGTH + self.records.len()
    }

    /// Appends the batch to `out`; `end` is the first offset behind it.
    pub(crate) fn finish(self, end: Offset, out: &mut BytesMut) {
        let start = out.len();
        let length = LENGTH - BEFORE_LENGTH + self.records.len();
        let first = self.first.unwrap_or(Millis(-1));
        out.reserve(self.size());
        out.put_u64(self.base.0);
        out.put_u32(u32::try_from(length).expect("batches end at a few MiB"));
        out.put_u32(self.leader_epoch);
        out.put_u8(2);
        out.put_u32(0);
        out.put_i16(0);
        out.put_i32(self.delta(end) - 1);
        out.put_i64(first.0);
        out.put_i64(self.latest.max(first).0);
        out.put_i64(-1);
        out.put_i16(-1);
        out.put_i32(-1);
        out.put_i32(self.count);
        out.put_slice(&self.records);
        let crc = crc32c(&out[start + CRC_FROM..]);
        out[start + CRC_AT..start + CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    }

    fn delta(&self, offset: Offset) -> i32 {
        i32::try_from(offset.0 - self.base.0).expect("a batch ends before it spans 2^31 offsets")
    }
}
