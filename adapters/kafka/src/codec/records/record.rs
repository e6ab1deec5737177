//! One record of a batch.

use bytes::{BufMut, Bytes, BytesMut};

use super::varint;

/// A record, its offset and time relative to its batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record {
    /// Milliseconds after the batch's base timestamp.
    pub(crate) timestamp_delta: i64,
    /// Offsets after the batch's base offset.
    pub(crate) offset_delta: i32,
    /// The key.
    pub(crate) key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub(crate) value: Option<Bytes>,
    /// Headers in order; a name that is not UTF-8 stays as it is.
    pub(crate) headers: Vec<(Bytes, Option<Bytes>)>,
}

/// Reads records out of decompressed octets, sharing their allocation.
#[derive(Debug)]
pub(super) struct Records {
    bytes: Bytes,
}

impl Records {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The next record; `None` where the octets are no record.
    pub(super) fn next(&mut self) -> Option<Record> {
        let length = usize::try_from(self.varint()?).ok()?;
        if length > self.bytes.len() {
            return None;
        }
        let mut record = Self::new(self.bytes.split_to(length));
        record.take(1)?;
        let (timestamp_delta, offset_delta) = (record.varint()?, record.varint()?);
        let read = Record {
            timestamp_delta,
            offset_delta: i32::try_from(offset_delta).ok()?,
            key: record.octets()?,
            value: record.octets()?,
            headers: record.headers()?,
        };
        record.bytes.is_empty().then_some(read)
    }

    fn headers(&mut self) -> Option<Vec<(Bytes, Option<Bytes>)>> {
        let count = usize::try_from(self.varint()?).ok()?;
        // A header has two lengths at least.
        if count > self.bytes.len() / 2 {
            return None;
        }
        (0..count)
            .map(|_| Some((self.octets()??, self.octets()?)))
            .collect()
    }

    /// Octets behind their length; the inner `None` is null.
    fn octets(&mut self) -> Option<Option<Bytes>> {
        match self.varint()? {
            -1 => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }

    fn varint(&mut self) -> Option<i64> {
        let mut rest = &self.bytes[..];
        let number = varint::take(&mut rest)?;
        let read = self.bytes.len() - rest.len();
        let _ = self.bytes.split_to(read);
        Some(number)
    }

    fn take(&mut self, n: usize) -> Option<Bytes> {
        (n <= self.bytes.len()).then(|| self.bytes.split_to(n))
    }
}

impl Record {
    /// Octets of key, value and headers.
    pub(super) fn size(&self) -> usize {
        let len = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        let headers: usize = headers
            .map(|(name, value)| name.len() + len(value) + 4)
            .sum();
        len(&self.key) + len(&self.value) + headers
    }

    /// Appends the record to a batch.
    pub(super) fn write(&self, out: &mut BytesMut) {
        let mut body = BytesMut::with_capacity(self.size() + 24);
        body.put_u8(0);
        varint::put(&mut body, self.timestamp_delta);
        varint::put(&mut body, i64::from(self.offset_delta));
        put_octets(&mut body, self.key.as_deref());
        put_octets(&mut body, self.value.as_deref());
        varint::put(&mut body, self.headers.len() as i64);
        for (name, value) in &self.headers {
            put_octets(&mut body, Some(name));
            put_octets(&mut body, value.as_deref());
        }
        varint::put(out, body.len() as i64);
        out.put_slice(&body);
    }
}

fn put_octets(out: &mut BytesMut, octets: Option<&[u8]>) {
    varint::put(out, octets.map_or(-1, |octets| octets.len() as i64));
    out.put_slice(octets.unwrap_or_default());
}
