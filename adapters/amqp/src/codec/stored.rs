//! The stored form of a published message: what [`Format::AMQP091`] entries hold.
//!
//! ```text
//! octets  field
//!  4      length of the properties
//!  n      property flags and properties, as they came in the content header frame
//!  m      the message body
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{
    Result,
    entry::{Draft, Fields, Format},
    id::Millis,
};

use super::{octets::malformed, properties::Properties};

const LENGTH: usize = 4;

/// A message's two parts, as they travel in content header and body frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Property flags and properties.
    pub(crate) properties: Bytes,
    /// The message body.
    pub(crate) body: Bytes,
}

impl Stored {
    /// Splits an entry's body; both parts share its allocation.
    ///
    /// # Errors
    /// `Invalid` where it is cut short.
    pub(crate) fn split(entry_body: &Bytes) -> Result<Self> {
        let cut = || malformed("the stored message is cut short");
        let length = entry_body.get(..LENGTH).ok_or_else(cut)?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let end = LENGTH.checked_add(length).ok_or_else(cut)?;
        if end > entry_body.len() {
            return Err(cut());
        }
        Ok(Self {
            properties: entry_body.slice(LENGTH..end),
            body: entry_body.slice(end..),
        })
    }
}

/// An entry body up to the message body, with room for `capacity` octets of that.
pub(crate) fn begin(properties: &[u8], capacity: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(LENGTH + properties.len() + capacity);
    out.put_u32(u32::try_from(properties.len()).expect("properties fit a frame"));
    out.put_slice(properties);
    out
}

/// The entry body with other properties.
///
/// # Errors
/// `Invalid` where it is cut short.
pub(crate) fn with_properties(entry_body: &Bytes, properties: &Properties) -> Result<Bytes> {
    let body = Stored::split(entry_body)?.body;
    let mut out = begin(&properties.encode(), body.len());
    out.extend_from_slice(&body);
    Ok(out.freeze())
}

/// An entry around an entry body whose properties were decoded.
pub(crate) fn draft(entry_body: Bytes, properties: &Properties, fields: Fields) -> Draft {
    let mut draft = Draft::single(Format::AMQP091, entry_body);
    draft.created = super::message::timestamp(properties).map(|at: Millis| (at, at));
    draft.fields = Fields {
        priority: properties.priority,
        ..fields
    };
    draft
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stored_messages_round_trip(properties: Vec<u8>, body: Vec<u8>) {
            let mut joined = begin(&properties, body.len());
            joined.put_slice(&body);
            let stored = Stored { properties: properties.into(), body: body.into() };
            prop_assert_eq!(Stored::split(&joined.freeze()).unwrap(), stored);
        }

        #[test]
        fn any_octets_split_or_are_refused(bytes: Vec<u8>) {
            let _ = Stored::split(&bytes.into());
        }
    }
}
