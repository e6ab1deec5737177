//! The fixed parts of a journal: how a file begins, and how a record does.

use bytes::{Buf, BufMut};
use standpipe_core::checksum::crc32c;

use super::{position::Position, repair::mend};

/// Octets that a file begins with.
pub(crate) const FILE_HEADER: usize = 64;
/// Octets that a record begins with.
pub(crate) const RECORD_HEADER: usize = 48;

const MAGIC: &[u8; 8] = b"SPJOURN1";
const FILE_USED: usize = 40;

/// How a journal file begins. It is synced before any record is written behind it.
///
/// ```text
/// 8 magic · 4 file number · 4 salt · 4 incarnation · 4 end of the file before · 8 seq before · 4 zero · 4 crc32c
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) number: u32,
    /// Stands in every record of the file, so that what an earlier use of the blocks left is no record.
    pub(crate) salt: u32,
    /// Rises each time the store is opened and written to; the logs' leader epoch.
    pub(crate) incarnation: u32,
    /// Where the records of the file before end: what lies behind was cut. All before is synced.
    pub(crate) previous_end: u32,
    /// The last commit in the files before.
    pub(crate) previous_seq: u64,
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; FILE_HEADER] {
        let mut out = [0; FILE_HEADER];
        let mut fields = &mut out[..FILE_USED - 4];
        fields.put_slice(MAGIC);
        fields.put_u32(self.number);
        fields.put_u32(self.salt);
        fields.put_u32(self.incarnation);
        fields.put_u32(self.previous_end);
        fields.put_u64(self.previous_seq);
        let crc = crc32c(&out[..FILE_USED - 4]);
        out[FILE_USED - 4..FILE_USED].copy_from_slice(&crc.to_be_bytes());
        out
    }

    /// `None` where it is short, damaged, or of another format.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (fields, mut crc) = bytes.get(..FILE_USED)?.split_at(FILE_USED - 4);
        let mut fields_read = fields.strip_prefix(MAGIC)?;
        if crc32c(fields) != crc.get_u32() {
            return None;
        }
        let fields = &mut fields_read;
        Some(Self {
            number: fields.get_u32(),
            salt: fields.get_u32(),
            incarnation: fields.get_u32(),
            previous_end: fields.get_u32(),
            previous_seq: fields.get_u64(),
        })
    }
}

impl FileHeader {
    /// The header that one flipped bit made unreadable.
    pub(crate) fn mended(bytes: &[u8]) -> Option<Self> {
        let mut copy = bytes.get(..FILE_USED)?.to_vec();
        let crc = copy.split_off(FILE_USED - 4);
        if !mend(&mut copy, (&crc[..]).get_u32()) {
            return None;
        }
        copy.put_u32(crc32c(&copy));
        Self::decode(&copy)
    }
}

/// How a record, which is one commit, begins.
///
/// ```text
/// 4 salt · 4 length · 8 seq · 8 owner's epoch · 8 synced · 4 crc32c of the steps · 4 zero · 4 zero · 4 crc32c
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) salt: u32,
    /// Octets of the record, this header included.
    pub(crate) length: u32,
    pub(crate) seq: u64,
    pub(crate) epoch: u64,
    /// Everything before this was synced when the record was made.
    pub(crate) synced: Position,
    /// Of all that follows but the bodies, which have checksums of their own.
    pub(crate) steps_crc: u32,
}

impl RecordHeader {
    pub(crate) fn encode(&self) -> [u8; RECORD_HEADER] {
        let mut out = [0; RECORD_HEADER];
        let mut fields = &mut out[..];
        fields.put_u32(self.salt);
        fields.put_u32(self.length);
        fields.put_u64(self.seq);
        fields.put_u64(self.epoch);
        fields.put_u64(self.synced.pack());
        fields.put_u32(self.steps_crc);
        let crc = crc32c(&out[..RECORD_HEADER - 4]);
        out[RECORD_HEADER - 4..].copy_from_slice(&crc.to_be_bytes());
        out
    }

    /// `None` where it is short, damaged, or of another use of the file.
    pub(crate) fn decode(bytes: &[u8], salt: u32) -> Option<Self> {
        let (mut fields, mut crc) = bytes.get(..RECORD_HEADER)?.split_at(RECORD_HEADER - 4);
        if !fields.starts_with(&salt.to_be_bytes()) || crc32c(fields) != crc.get_u32() {
            return None;
        }
        let header = Self {
            salt: fields.get_u32(),
            length: fields.get_u32(),
            seq: fields.get_u64(),
            epoch: fields.get_u64(),
            synced: Position::unpack(fields.get_u64()),
            steps_crc: fields.get_u32(),
        };
        (header.length as usize >= RECORD_HEADER).then_some(header)
    }

    /// The header that one flipped bit made unreadable.
    pub(crate) fn mended(bytes: &[u8], salt: u32) -> Option<Self> {
        let mut copy = bytes.get(..RECORD_HEADER)?.to_vec();
        let crc = copy.split_off(RECORD_HEADER - 4);
        if !mend(&mut copy, (&crc[..]).get_u32()) {
            return None;
        }
        copy.put_u32(crc32c(&copy));
        Self::decode(&copy, salt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_a_flipped_bit_is_found() {
        let file = FileHeader {
            number: 3,
            salt: 0xdead_beef,
            incarnation: 2,
            previous_end: 99,
            previous_seq: 1 << 40,
        };
        let encoded = file.encode();
        assert_eq!(FileHeader::decode(&encoded), Some(file));
        let record = RecordHeader {
            salt: 7,
            length: 4096,
            seq: 12,
            epoch: 1,
            synced: Position::new(3, 64),
            steps_crc: 5,
        };
        let record_encoded = record.encode();
        assert_eq!(RecordHeader::decode(&record_encoded, 7), Some(record));
        assert_eq!(RecordHeader::decode(&record_encoded, 8), None);
        for bit in 0..FILE_USED * 8 {
            let mut flipped = encoded;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHeader::decode(&flipped), None, "bit {bit}");
        }
        for bit in 0..RECORD_HEADER * 8 {
            let mut flipped = record_encoded;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&flipped, 7), None, "bit {bit}");
        }
    }
}
