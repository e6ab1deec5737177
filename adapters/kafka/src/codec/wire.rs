//! Kafka's primitive types, both ways.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::{Malformed, Reader};

const FITS: &str = "messages are below 2 GiB, and short strings are checked";

/// Writes one message.
#[derive(Debug)]
pub(crate) struct Writer {
    out: BytesMut,
    flexible: bool,
}

impl Writer {
    /// Writes compact lengths and tags where `flexible`.
    pub(crate) fn new(flexible: bool) -> Self {
        let out = BytesMut::new();
        Self { out, flexible }
    }

    /// What was written.
    pub(crate) fn finish(self) -> BytesMut {
        self.out
    }

    /// Switches between the two encodings of lengths.
    pub(crate) fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Octets as they are.
    pub(crate) fn put(&mut self, octets: &[u8]) {
        self.out.put_slice(octets);
    }

    /// A length or a count; `None` is null. `short` as in [`Reader::length`].
    pub(crate) fn put_length(&mut self, length: Option<usize>, short: bool) {
        match (self.flexible, length) {
            (true, length) => {
                self.put_uvarint(length.map_or(0, |n| u32::try_from(n + 1).expect(FITS)))
            }
            (false, None) if short => self.out.put_i16(-1),
            (false, None) => self.out.put_i32(-1),
            (false, Some(n)) if short => self.out.put_i16(i16::try_from(n).unwrap_or(i16::MAX)),
            (false, Some(n)) => self.out.put_i32(i32::try_from(n).expect(FITS)),
        }
    }

    /// No tagged fields; nothing where it is not flexible.
    pub(crate) fn put_no_tags(&mut self) {
        if self.flexible {
            self.out.put_u8(0);
        }
    }

    /// One tagged field, and no other; nothing where it is not flexible.
    pub(crate) fn put_tag(&mut self, number: u32, value: &impl Wire, version: i16) {
        if !self.flexible {
            return;
        }
        let mut octets = Self::new(true);
        value.write(&mut octets, version);
        let octets = octets.finish();
        self.put_uvarint(1);
        self.put_uvarint(number);
        self.put_uvarint(u32::try_from(octets.len()).expect(FITS));
        self.put(&octets);
    }

    fn put_uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.put_u8((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.out.put_u8(value as u8);
    }
}

/// A type of the protocol.
pub(crate) trait Wire: Sized {
    /// Reads a value as `version` of its message has it.
    fn read(reader: &mut Reader, version: i16) -> Result<Self, Malformed>;

    /// Writes it as `version` of its message has it.
    fn write(&self, writer: &mut Writer, version: i16);
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            fn read(reader: &mut Reader, _: i16) -> Result<Self, Malformed> {
                Ok(Self::from_be_bytes(reader.array()?))
            }

            fn write(&self, writer: &mut Writer, _: i16) {
                writer.put(&self.to_be_bytes());
            }
        }
    )*};
}

number!(i8, i16, i32, i64);

impl Wire for bool {
    fn read(reader: &mut Reader, version: i16) -> Result<Self, Malformed> {
        Ok(i8::read(reader, version)? != 0)
    }

    fn write(&self, writer: &mut Writer, version: i16) {
        i8::from(*self).write(writer, version);
    }
}

impl Wire for Uuid {
    fn read(reader: &mut Reader, _: i16) -> Result<Self, Malformed> {
        Ok(Self::from_bytes(reader.array()?))
    }

    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put(self.as_bytes());
    }
}

impl Wire for Option<String> {
    fn read(reader: &mut Reader, _: i16) -> Result<Self, Malformed> {
        let Some(length) = reader.length(true)? else {
            return Ok(None);
        };
        let octets = reader.take(length)?;
        let text = std::str::from_utf8(&octets)
            .map_err(|_| Malformed("a string that is not UTF-8".into()))?;
        Ok(Some(text.to_owned()))
    }

    fn write(&self, writer: &mut Writer, _: i16) {
        // A string that 16 bits do not count is cut: only our own messages to people get near.
        let text = self.as_deref().map(|text| {
            let end = text.floor_char_boundary(text.len().min(i16::MAX as usize));
            &text[..end]
        });
        writer.put_length(text.map(str::len), true);
        writer.put(text.unwrap_or_default().as_bytes());
    }
}

impl Wire for String {
    fn read(reader: &mut Reader, version: i16) -> Result<Self, Malformed> {
        Option::<Self>::read(reader, version)?.ok_or_else(|| null("a string"))
    }

    fn write(&self, writer: &mut Writer, _: i16) {
        let end = self.floor_char_boundary(self.len().min(i16::MAX as usize));
        writer.put_length(Some(end), true);
        writer.put(&self.as_bytes()[..end]);
    }
}

impl Wire for Option<Bytes> {
    fn read(reader: &mut Reader, _: i16) -> Result<Self, Malformed> {
        let length = reader.length(false)?;
        length.map(|length| reader.take(length)).transpose()
    }

    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_length(self.as_ref().map(Bytes::len), false);
        writer.put(self.as_deref().unwrap_or_default());
    }
}

impl Wire for Bytes {
    fn read(reader: &mut Reader, version: i16) -> Result<Self, Malformed> {
        // Some clients send null where there is nothing to say.
        Ok(Option::<Self>::read(reader, version)?.unwrap_or_default())
    }

    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_length(Some(self.len()), false);
        writer.put(self);
    }
}

impl<T: Wire> Wire for Option<Vec<T>> {
    fn read(reader: &mut Reader, version: i16) -> Result<Self, Malformed> {
        let Some(count) = reader.count()? else {
            return Ok(None);
        };
        let items = (0..count).map(|_| T::read(reader, version));
        items.collect::<Result<_, _>>().map(Some)
    }

    fn write(&self, writer: &mut Writer, version: i16) {
        match self {
            Some(items) => items.write(writer, version),
            None => writer.put_length(None, false),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn read(reader: &mut Reader, version: i16) -> Result<Self, Malformed> {
        Option::<Self>::read(reader, version)?.ok_or_else(|| null("an array"))
    }

    fn write(&self, writer: &mut Writer, version: i16) {
        writer.put_length(Some(self.len()), false);
        self.iter().for_each(|item| item.write(writer, version));
    }
}

fn null(what: &str) -> Malformed {
    Malformed(format!("null where {what} belongs"))
}
