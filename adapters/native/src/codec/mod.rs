//! The native wire protocol: length-prefixed binary frames over a byte stream.
//!
//! # Frames
//!
//! A frame is a 32-bit length, big-endian, and that many octets: a tag octet and the frame's
//! fields. The length is at least 1 and at most the message limit (16 MiB unless the server's
//! [`Welcome`](ServerFrame::Welcome) says otherwise) and [`FRAME_SLACK`]. A frame with an unknown
//! tag, a field that is cut short, or octets behind its last field is an error: the receiver of a
//! bad frame answers [`Failed`](ServerFrame::Failed) where it is the server, and closes.
//!
//! # Fields
//!
//! *varint* is an unsigned LEB128 number of at most 64 bits; *octets* are a varint length and that
//! many octets; *text* is octets in UTF-8; *optional* is an octet 0, or 1 and the field; a *list*
//! is a varint count and that many items, at most 262,144; 16-, 32- and 64-bit numbers are
//! big-endian. A *message* is octets in the stored encoding of [`standpipe_core::native`].
//!
//! # A connection
//!
//! The client says [`Hello`](ClientFrame::Hello) within 10 seconds; the server answers `Welcome`
//! with the version that both speak. From then on the client may publish as much as it likes,
//! without waiting: every message is answered by one [outcome](standpipe_core::session::Outcome),
//! in order. It may open one subscription; what follows on it is the same as over gRPC (credit,
//! settlements, seeks, commits and their answers). Administration is answered by the request's
//! number, in any order. When the connection ends, what is leased over it and not settled goes
//! back at once. A client must read while it writes: a server whose answers are not read stops
//! reading. Of lists and descriptions of topics it makes one at a time on a connection, and closes
//! the connection where one is not read within 60 seconds.

mod admin;
mod client_frame;
mod error;
mod framing;
mod message;
mod publish;
mod server_frame;
mod subscribe;
#[cfg(test)]
mod tests;

pub use client_frame::ClientFrame;
pub use framing::{FRAME_SLACK, Framing};
pub use server_frame::ServerFrame;

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{
    Error, ErrorKind, Result,
    message::PARTS_LIMIT,
    wire::{Reader, Writer},
};

/// The first octets of a connection's first frame, so that another protocol is known at once.
pub const MAGIC: [u8; 4] = *b"STPP";

/// The version that this crate speaks.
pub const VERSION: u16 = 1;

/// Octets of a frame before the server has said its message limit.
pub const DEFAULT_MESSAGE_LIMIT: usize = 16 << 20;

fn put_text(out: &mut BytesMut, text: &str) {
    out.put_bytes_with_length(text.as_bytes());
}

fn take_text(reader: &mut Reader) -> Result<String> {
    let octets = reader.bytes()?;
    let text = std::str::from_utf8(&octets).map_err(|_| reader.invalid("text is not UTF-8"))?;
    Ok(text.to_owned())
}

fn put_optional<T>(out: &mut BytesMut, item: Option<T>, put: impl FnOnce(&mut BytesMut, T)) {
    out.put_u8(u8::from(item.is_some()));
    if let Some(item) = item {
        put(out, item);
    }
}

fn take_optional<T>(
    reader: &mut Reader,
    take: impl FnOnce(&mut Reader) -> Result<T>,
) -> Result<Option<T>> {
    match reader.u8()? {
        0 => Ok(None),
        1 => take(reader).map(Some),
        other => Err(reader.invalid(format!("{other} where 0 or 1 says whether a field follows"))),
    }
}

fn put_list<T>(out: &mut BytesMut, items: &[T], mut put: impl FnMut(&mut BytesMut, &T)) {
    out.put_varint(items.len() as u64);
    for item in items {
        put(out, item);
    }
}

/// Reads a list; memory is taken for what arrives, not for what is announced, and no list has more
/// than [`PARTS_LIMIT`] items.
fn take_list<T>(
    reader: &mut Reader,
    mut take: impl FnMut(&mut Reader) -> Result<T>,
) -> Result<Vec<T>> {
    let count = reader.count()?;
    if count > PARTS_LIMIT {
        let message = format!("a list of {count} items; the limit is {PARTS_LIMIT}");
        return Err(Error::new(ErrorKind::TooLarge, reader.operation(), message));
    }
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(take(reader)?);
    }
    Ok(items)
}

/// A reader over one frame's octets, without its length.
fn frame_reader(frame: Bytes) -> Reader {
    Reader::new(frame, "read native frame")
}

fn must_be_empty(reader: &Reader) -> Result<()> {
    if reader.is_empty() {
        return Ok(());
    }
    let left = reader.remaining();
    Err(reader.invalid(format!("{left} octets behind the frame's last field")))
}
