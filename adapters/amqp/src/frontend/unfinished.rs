//! Octets of messages that have not arrived whole, over all channels of a connection.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::refusal::{Handled, Refusal};

/// Messages of the largest size that there is room for.
const MESSAGES: usize = 4;
/// Room that there is however small messages have to be: many channels may publish at once.
const LEAST: usize = 64 << 20;

/// The room that a connection's unfinished messages share. Waiting for more would end nowhere: what
/// finishes them comes through the same socket.
#[derive(Debug)]
pub(super) struct Unfinished {
    octets: AtomicUsize,
    limit: usize,
}

/// What one message takes of the room, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Unfinished>,
    octets: usize,
}

impl Unfinished {
    /// Room for messages of up to `message_max` octets.
    pub(super) fn new(message_max: usize) -> Self {
        Self {
            octets: AtomicUsize::new(0),
            limit: message_max.saturating_mul(MESSAGES).max(LEAST),
        }
    }

    /// The share of a message of which nothing has arrived.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share {
            room: self.clone(),
            octets: 0,
        }
    }
}

impl Share {
    /// Takes room for octets that have arrived.
    ///
    /// # Errors
    /// That there is none: the connection is to be closed.
    pub(super) fn grow(&mut self, octets: usize) -> Handled {
        let taken = self.room.octets.fetch_add(octets, Ordering::Relaxed) + octets;
        self.octets += octets;
        let limit = self.room.limit;
        if taken > limit {
            return Err(Refusal::resource_error(format!(
                "{taken} octets of unfinished messages on this connection; the limit is {limit}"
            )));
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.octets.fetch_sub(self.octets, Ordering::Relaxed);
    }
}
