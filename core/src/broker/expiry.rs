//! Messages with a time to live: noted beside the entry, settled where nobody took them in time.

use bytes::Bytes;

use super::{Subscription, filing::FilingIn, place::Stop};
use crate::{
    entry::{Draft, Entry, Format},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
    store::Op,
    wheel::Kind,
};

/// Adds the note that the message of `draft` expires, where it does and is on disk: in the same commit as the
/// entry, which gets `offset`. The caller holds the partition's tail.
pub(super) fn note_expiry<'a>(
    ops: &mut Vec<Op>,
    stop: &'a Stop,
    draft: &Draft,
    offset: Offset,
) -> Option<FilingIn<'a>> {
    let due = draft
        .fields
        .expires_at
        .filter(|_| !stop.topic.lives_in_memory())?;
    let mut filing = FilingIn::begin(&stop.topic)?;
    filing.file_at_least(ops, Kind::Expiry, stop.at, due, note(offset, due));
    Some(filing)
}

/// The small entry that stands for a message in an expiry bucket.
pub(super) fn note(offset: Offset, due: Millis) -> Draft {
    let mut note = Draft::single(
        Format::NATIVE,
        Bytes::copy_from_slice(&offset.0.to_be_bytes()),
    );
    note.fields.expires_at = Some(due);
    note
}

/// The offset and time of a [`note`].
///
/// # Errors
/// `Corrupt` where the entry is none.
pub(super) fn read_note(entry: &Entry) -> Result<(Offset, Millis)> {
    let offset = <[u8; 8]>::try_from(entry.body().as_ref()).ok();
    match (offset, entry.draft.fields.expires_at) {
        (Some(offset), Some(due)) => Ok((Offset(u64::from_be_bytes(offset)), due)),
        _ => {
            let message = format!("the note at offset {} is no expiry", entry.base_offset);
            Err(Error::new(ErrorKind::Corrupt, "expire messages", message))
        }
    }
}

/// Whether an entry's message has expired.
pub(super) fn is_expired(entry: &Entry, now: Millis) -> bool {
    entry.draft.fields.expires_at.is_some_and(|at| at <= now)
}

impl Subscription {
    /// Messages that expired before anybody took them, since the broker started.
    pub fn expired(&self) -> u64 {
        let state = self.state.lock();
        state.expired + state.dispatcher.expired_on_lease()
    }

    /// Settles those of `offsets` that nobody holds. What is on lease stays with its holder; it is
    /// not delivered again.
    pub(super) fn expire(&self, partition: PartitionId, offsets: &[Offset]) -> Result<()> {
        let mut state = self.state.lock();
        let expired = state.dispatcher.expire(partition, offsets);
        state.expired += expired;
        self.persist(&mut state).map(|_| ())
    }
}
