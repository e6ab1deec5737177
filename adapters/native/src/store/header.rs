//! The fixed parts of a journal: how a file begins, and how a record does.

use bytes::{Buf, BufMut};
use standpipe_core::checksum::crc32c;

use super::{position::Position, repair::mend};

/// Octets that a file begins with.
pub(crate) const FILE_HEADER: usize = 64;
/// Octets that a record begins with.
pub(crate) const RECORD_HEADER: usize = 48;

const MAGIC: &[u8; 8] = b"SPJOURN1";
/// Octets that say which file it is.
pub(crate) const FILE_ID: usize = 24;
/// Octets of the header that are used.
const FILE_USED: usize = 48;

/// Which file it is and whose its records are. It is synced before anything is written behind it.
///
/// ```text
/// 8 magic · 4 file number · 4 salt · 4 incarnation · 4 crc32c
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) number: u32,
    /// Stands in every record of the file, so that what an earlier use of the blocks left is no record.
    pub(crate) salt: u32,
    /// Rises each time the store is opened and written to; the logs' leader epoch.
    pub(crate) incarnation: u32,
}

impl FileId {
    /// Of the file behind this one, so that it can be made before anybody needs it.
    pub(crate) fn next(self) -> Self {
        Self {
            number: self.number + 1,
            salt: self.salt.wrapping_add(1),
            ..self
        }
    }

    pub(crate) fn encode(&self) -> [u8; FILE_ID] {
        let mut out = [0; FILE_ID];
        let mut fields = &mut out[..];
        fields.put_slice(MAGIC);
        fields.put_u32(self.number);
        fields.put_u32(self.salt);
        fields.put_u32(self.incarnation);
        seal(&mut out);
        out
    }

    /// `None` where it is short, damaged, or of another format.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = open(bytes.get(..FILE_ID)?)?.strip_prefix(MAGIC)?;
        Some(Self {
            number: fields.get_u32(),
            salt: fields.get_u32(),
            incarnation: fields.get_u32(),
        })
    }

    /// The one that one flipped bit made unreadable.
    pub(crate) fn mended(bytes: &[u8]) -> Option<Self> {
        Self::decode(&mended(bytes.get(..FILE_ID)?)?)
    }
}

/// How a journal file goes on behind the one before: with its records, and synced as they are.
///
/// ```text
/// 4 end of the file before · 8 seq before · 8 synced · 4 crc32c, of the file's id too
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// Where the records of the file before end: what lies behind was cut.
    pub(crate) previous_end: u32,
    /// The last commit in the files before.
    pub(crate) previous_seq: u64,
    /// Everything before this was synced when the file was begun.
    pub(crate) synced: Position,
}

/// How a journal file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) id: FileId,
    pub(crate) link: Link,
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; FILE_HEADER] {
        let mut out = [0; FILE_HEADER];
        let mut fields = &mut out[..];
        fields.put_slice(&self.id.encode());
        fields.put_u32(self.link.previous_end);
        fields.put_u64(self.link.previous_seq);
        fields.put_u64(self.link.synced.pack());
        seal(&mut out[..FILE_USED]);
        out
    }

    /// The header of the file `id`; `None` where its link is not there, or damaged.
    pub(crate) fn decode(id: FileId, bytes: &[u8]) -> Option<Self> {
        let mut link = open(bytes.get(..FILE_USED)?)?.strip_prefix(&id.encode())?;
        let link = Link {
            previous_end: link.get_u32(),
            previous_seq: link.get_u64(),
            synced: Position::unpack(link.get_u64()),
        };
        Some(Self { id, link })
    }

    /// The header whose link one flipped bit made unreadable.
    pub(crate) fn mended(id: FileId, bytes: &[u8]) -> Option<Self> {
        let mut copy = bytes.get(..FILE_USED)?.to_vec();
        copy[..FILE_ID].copy_from_slice(&id.encode());
        Self::decode(id, &copy).or_else(|| Self::decode(id, &mended(&copy)?))
    }
}

/// Puts the checksum of all that comes before it into the last four octets.
fn seal(octets: &mut [u8]) {
    let (fields, mut place) = octets.split_at_mut(octets.len() - 4);
    place.put_u32(crc32c(fields));
}

/// What comes before the checksum; `None` where that is another one.
fn open(sealed: &[u8]) -> Option<&[u8]> {
    let (fields, mut crc) = sealed.split_at(sealed.len() - 4);
    (crc32c(fields) == crc.get_u32()).then_some(fields)
}

/// What was sealed, as it was before one bit flipped.
fn mended(sealed: &[u8]) -> Option<Vec<u8>> {
    let (fields, mut crc) = sealed.split_at(sealed.len() - 4);
    let mut copy = fields.to_vec();
    if !mend(&mut copy, crc.get_u32()) {
        return None;
    }
    copy.put_u32(crc32c(&copy));
    Some(copy)
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
        seal(&mut out);
        out
    }

    /// `None` where it is short, damaged, or of another use of the file.
    pub(crate) fn decode(bytes: &[u8], salt: u32) -> Option<Self> {
        let bytes = bytes.get(..RECORD_HEADER)?;
        if !bytes.starts_with(&salt.to_be_bytes()) {
            return None;
        }
        let mut fields = open(bytes)?;
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
        Self::decode(&mended(bytes.get(..RECORD_HEADER)?)?, salt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> FileHeader {
        FileHeader {
            id: FileId {
                number: 3,
                salt: 0xdead_beef,
                incarnation: 2,
            },
            link: Link {
                previous_end: 99,
                previous_seq: 1 << 40,
                synced: Position::new(2, 80),
            },
        }
    }

    #[test]
    fn file_headers_round_trip_and_a_flipped_bit_is_found_and_mended() {
        let file = file();
        let encoded = file.encode();
        assert_eq!(FileId::decode(&encoded), Some(file.id));
        assert_eq!(FileHeader::decode(file.id, &encoded), Some(file));
        assert_eq!(FileHeader::decode(file.id.next(), &encoded), None);
        for bit in 0..FILE_USED * 8 {
            let mut flipped = encoded;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let id = FileId::decode(&flipped);
            assert_eq!(id.is_none(), bit < FILE_ID * 8, "bit {bit}");
            assert_eq!(id.or_else(|| FileId::mended(&flipped)), Some(file.id));
            assert_eq!(FileHeader::decode(file.id, &flipped), None, "bit {bit}");
            assert_eq!(FileHeader::mended(file.id, &flipped), Some(file));
        }
    }

    #[test]
    fn a_file_that_was_only_begun_has_no_link() {
        let id = file().id;
        let mut begun = [0; FILE_HEADER];
        begun[..FILE_ID].copy_from_slice(&id.encode());
        assert_eq!(FileId::decode(&begun), Some(id));
        assert_eq!(FileHeader::decode(id, &begun), None);
        assert_eq!(FileHeader::mended(id, &begun), None);
    }

    #[test]
    fn record_headers_round_trip_and_a_flipped_bit_is_found() {
        let record = RecordHeader {
            salt: 7,
            length: 4096,
            seq: 12,
            epoch: 1,
            synced: Position::new(3, 64),
            steps_crc: 5,
        };
        let encoded = record.encode();
        assert_eq!(RecordHeader::decode(&encoded, 7), Some(record));
        assert_eq!(RecordHeader::decode(&encoded, 8), None);
        for bit in 0..RECORD_HEADER * 8 {
            let mut flipped = encoded;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&flipped, 7), None, "bit {bit}");
        }
    }
}
