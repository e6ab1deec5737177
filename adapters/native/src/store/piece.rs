//! Octets of a file, in buffers that are used again: taking fresh memory for each would cost about as
//! much as reading.

use std::io;

use bytes::Bytes;
use parking_lot::Mutex;

use super::vfs::{File, Wait, fill_at};

/// Octets of a buffer that is used again. A reader that keeps an octet of it keeps all of it.
pub(crate) const PIECE: usize = 256 * 1024;
/// A piece that fills less of a buffer gets memory of its own size.
const SMALLEST: usize = PIECE / 2;
/// Buffers that are kept while nobody uses them.
const IDLE: usize = 8;

static POOL: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// Up to `length` octets of `file` at `at`; fewer where it ends before.
///
/// # Errors
/// `WouldBlock` where they are not in memory and it must not wait; what reading gives.
pub(crate) fn read_piece(file: &dyn File, length: usize, at: u64, wait: Wait) -> io::Result<Bytes> {
    if !(SMALLEST..=PIECE).contains(&length) {
        let mut octets = vec![0; length];
        let read = fill_at(file, &mut octets, at, wait)?;
        octets.truncate(read);
        return Ok(octets.into());
    }
    let mut piece = Piece::take();
    piece.length = fill_at(file, &mut piece.buffer[..length], at, wait)?;
    Ok(Bytes::from_owner(piece))
}

/// A buffer of the pool, given back when nobody refers to it any more.
struct Piece {
    buffer: Box<[u8]>,
    length: usize,
}

impl Piece {
    fn take() -> Self {
        let idle = POOL.lock().pop();
        Self {
            buffer: idle.unwrap_or_else(|| vec![0; PIECE].into_boxed_slice()),
            length: 0,
        }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut pool = POOL.lock();
        if pool.len() < IDLE {
            pool.push(std::mem::take(&mut self.buffer));
        }
    }
}
