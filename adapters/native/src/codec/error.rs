//! Errors: the kind as an octet, and text.

use bytes::{BufMut, BytesMut};
use standpipe_core::{Error, ErrorKind, Result, wire::Reader};

use super::{put_text, take_text};

const KINDS: [ErrorKind; 14] = [
    ErrorKind::Transient,
    ErrorKind::Throttled,
    ErrorKind::Disconnected,
    ErrorKind::Unknown,
    ErrorKind::Permanent,
    ErrorKind::Unsupported,
    ErrorKind::NotFound,
    ErrorKind::Exists,
    ErrorKind::Denied,
    ErrorKind::Conflict,
    ErrorKind::TooLarge,
    ErrorKind::Invalid,
    ErrorKind::Corrupt,
    ErrorKind::Closed,
];

/// A kind is its place in this order: transient is 1, closed is 14. A kind of a later
/// version reads as `Unknown`, which promises least.
pub(super) fn put_error(out: &mut BytesMut, error: &Error) {
    let at = KINDS.iter().position(|kind| *kind == error.kind());
    let unknown = KINDS.iter().position(|kind| *kind == ErrorKind::Unknown);
    let at = at.or(unknown).unwrap_or_default() + 1;
    out.put_u8(u8::try_from(at).unwrap_or(u8::MAX));
    match std::error::Error::source(error) {
        Some(source) => put_text(out, &format!("{}: {source}", error.message())),
        None => put_text(out, error.message()),
    }
}

pub(super) fn take_error(reader: &mut Reader) -> Result<Error> {
    let at = usize::from(reader.u8()?).wrapping_sub(1);
    let kind = KINDS.get(at).copied().unwrap_or(ErrorKind::Unknown);
    Ok(Error::new(kind, "broker", take_text(reader)?))
}

pub(super) fn put_result<T>(
    out: &mut BytesMut,
    result: &Result<T>,
    put: impl FnOnce(&mut BytesMut, &T),
) {
    match result {
        Ok(value) => {
            out.put_u8(0);
            put(out, value);
        }
        Err(error) => {
            out.put_u8(1);
            put_error(out, error);
        }
    }
}

pub(super) fn take_result<T>(
    reader: &mut Reader,
    take: impl FnOnce(&mut Reader) -> Result<T>,
) -> Result<Result<T>> {
    match reader.u8()? {
        0 => take(reader).map(Ok),
        1 => take_error(reader).map(Err),
        other => Err(reader.invalid(format!("{other} where 0 is done and 1 is failed"))),
    }
}
