//! What was read and not yet received, between librdkafka's thread and ours.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use standpipe_core::{
    Error, ErrorKind, Result,
    driver::{Incoming, ReceiveLimit},
};
use tokio::sync::Notify;

use super::{drain::Drain, prefix::Prefixes};

const MESSAGES: usize = 10_000;
const BYTES: usize = 32 * 1024 * 1024;

/// A bounded buffer with all that a consumer knows about its partitions.
#[derive(Debug)]
pub(super) struct Buffer {
    state: Mutex<State>,
    window: Option<usize>,
    /// Something for the receiver to look at.
    ready: Notify,
    /// Room for the poller.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Incoming>,
    bytes: usize,
    prefixes: Prefixes,
    drain: Option<Drain>,
    /// `None` until the group has given out partitions, and once it has taken all of them back.
    assigned: Option<BTreeSet<i32>>,
    reassigned: bool,
    failed: Option<Error>,
    stopped: bool,
}

/// What a look into the buffer found.
pub(super) enum Found {
    Batch(Vec<Incoming>),
    Nothing,
    End,
}

impl Buffer {
    pub(super) fn new(window: Option<usize>) -> Self {
        Self {
            state: Mutex::default(),
            window,
            ready: Notify::new(),
            room: Condvar::new(),
        }
    }

    pub(super) fn drain(&self, drain: Drain) {
        self.state.lock().drain = Some(drain);
    }

    /// Takes what is there, up to `limit`.
    ///
    /// # Errors
    /// What ended the source, once everything before it was taken.
    pub(super) fn take(&self, limit: ReceiveLimit) -> Result<Found> {
        let mut state = self.state.lock();
        let (mut batch, mut bytes) = (Vec::new(), 0usize);
        while let Some(next) = state.queue.front() {
            let size = next.message.size();
            let is_over = bytes.saturating_add(size) > limit.bytes;
            if batch.len() >= limit.messages.get() || (is_over && !batch.is_empty()) {
                break;
            }
            bytes = bytes.saturating_add(size);
            state.bytes -= size;
            batch.extend(state.queue.pop_front());
        }
        if !batch.is_empty() {
            self.room.notify_all();
            return Ok(Found::Batch(batch));
        }
        match (&state.failed, &state.drain, &state.assigned) {
            (Some(error), ..) => Err(error.clone()),
            (None, Some(drain), Some(assigned)) if drain.is_done(assigned) => Ok(Found::End),
            _ => Ok(Found::Nothing),
        }
    }

    /// Returns when there may be something new; to be made before looking.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.ready.notified()
    }

    /// Takes in what comes next, unless something before it has failed: an ack of it would commit
    /// what was never given out.
    pub(super) fn push(&self, partition: i32, offset: i64, incoming: Incoming) {
        let mut state = self.state.lock();
        if state.failed.is_some() {
            return;
        }
        let takes = state
            .drain
            .as_mut()
            .is_none_or(|drain| drain.takes(partition, offset));
        if takes {
            state.prefixes.deliver(partition, offset);
            state.bytes += incoming.message.size();
            state.queue.push_back(incoming);
        }
        self.ready.notify_waiters();
    }

    pub(super) fn reached_end(&self, partition: i32) {
        if let Some(drain) = &mut self.state.lock().drain {
            drain.reached_end(partition);
        }
        self.ready.notify_waiters();
    }

    /// Ends the source. Where trying again can help at all, only another client can: librdkafka tells
    /// what it has given up itself, and may leave partitions unserved from then on.
    pub(super) fn fail(&self, error: Error) {
        let error = if error.kind().is_retryable() {
            Error::new(ErrorKind::Disconnected, error.operation(), error.message())
        } else {
            error
        };
        self.state.lock().failed.get_or_insert(error);
        self.ready.notify_waiters();
    }

    pub(super) fn assign(&self, partitions: impl IntoIterator<Item = i32>) {
        let mut state = self.state.lock();
        state.assigned.get_or_insert_default().extend(partitions);
        state.reassigned = true;
        self.ready.notify_waiters();
    }

    /// Forgets partitions that go to another member: their messages come again there.
    pub(super) fn revoke(&self, partitions: impl IntoIterator<Item = i32>) {
        let mut state = self.state.lock();
        for partition in partitions {
            state.prefixes.forget(partition);
            let gone = u64::try_from(partition).unwrap_or_default();
            state
                .queue
                .retain(|incoming| incoming.receipt.lane.0 != gone);
            if let Some(assigned) = &mut state.assigned {
                assigned.remove(&partition);
            }
            if let Some(drain) = &mut state.drain {
                drain.forget(partition);
            }
        }
        // An eager rebalance takes everything before it gives out anew: that is no empty share.
        if state.assigned.as_ref().is_some_and(BTreeSet::is_empty) {
            state.assigned = None;
        }
        state.bytes = state
            .queue
            .iter()
            .map(|incoming| incoming.message.size())
            .sum();
        state.reassigned = true;
        self.room.notify_all();
        self.ready.notify_waiters();
    }

    /// Notes acks; returns what to commit, the last of each partition.
    pub(super) fn ack(&self, acked: impl IntoIterator<Item = (i32, i64)>) -> Vec<(i32, i64)> {
        let mut state = self.state.lock();
        let mut ends = std::collections::BTreeMap::new();
        for (partition, offset) in acked {
            if let Some(end) = state.prefixes.ack(partition, offset) {
                ends.insert(partition, end);
            }
        }
        self.room.notify_all();
        ends.into_iter().collect()
    }

    /// Waits for room, up to `patience`; returns whether there is some.
    pub(super) fn wait_for_room(&self, patience: Duration) -> bool {
        let mut state = self.state.lock();
        let is_full = |state: &mut State| self.is_full(state) && !state.stopped;
        !self
            .room
            .wait_while_for(&mut state, is_full, patience)
            .timed_out()
    }

    /// Whether partitions came or went since the last call.
    pub(super) fn take_reassigned(&self) -> bool {
        std::mem::take(&mut self.state.lock().reassigned)
    }

    pub(super) fn stop(&self) {
        self.state.lock().stopped = true;
        self.room.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    fn is_full(&self, state: &State) -> bool {
        // What comes behind a failure is not given out: it is not asked for either.
        state.failed.is_some()
            || state.queue.len() >= MESSAGES
            || state.bytes >= BYTES
            || self
                .window
                .is_some_and(|window| state.prefixes.len() >= window)
    }
}

#[cfg(test)]
mod tests {
    use standpipe_core::{
        driver::{Lane, ReceiptToken},
        message::Message,
    };

    use super::*;

    /// A buffer that drains partitions with one message each.
    fn draining(partitions: std::ops::Range<i32>) -> Buffer {
        let buffer = Buffer::new(None);
        let watermarks: Vec<_> = partitions.map(|partition| (partition, 0, 1)).collect();
        buffer.drain(Drain::new(&watermarks));
        buffer
    }

    fn push(buffer: &Buffer, partition: i32) {
        push_at(buffer, partition, 0);
    }

    fn push_at(buffer: &Buffer, partition: i32, offset: i64) {
        let lane = Lane(u64::try_from(partition).unwrap());
        let number = u64::try_from(offset).unwrap();
        let incoming = Incoming {
            message: Message::new("x"),
            receipt: ReceiptToken { lane, number },
            attempts: 0,
        };
        buffer.push(partition, offset, incoming);
    }

    /// How many messages a look finds; `None` at the end.
    fn look(buffer: &Buffer) -> Option<usize> {
        match buffer.take(ReceiveLimit::messages(10)).unwrap() {
            Found::Batch(batch) => Some(batch.len()),
            Found::Nothing => Some(0),
            Found::End => None,
        }
    }

    #[test]
    fn a_drain_does_not_end_between_a_revocation_and_what_follows_it() {
        let buffer = draining(0..2);
        buffer.assign([0, 1]);
        buffer.revoke([0, 1]);
        assert_eq!(look(&buffer), Some(0));
        buffer.assign([0]);
        assert_eq!(look(&buffer), Some(0));
        push(&buffer, 0);
        assert_eq!(look(&buffer), Some(1));
        assert_eq!(look(&buffer), None);
    }

    #[test]
    fn a_partition_that_comes_back_is_read_to_its_end_again() {
        let buffer = draining(0..2);
        buffer.assign([0, 1]);
        push(&buffer, 0);
        push(&buffer, 1);
        buffer.revoke([0]);
        assert_eq!(look(&buffer), Some(1), "what was not received is dropped");
        buffer.assign([0]);
        assert_eq!(look(&buffer), Some(0), "it is yet to come again");
        push(&buffer, 0);
        assert_eq!(look(&buffer), Some(1));
        assert_eq!(look(&buffer), None);
    }

    #[test]
    fn a_client_that_gave_up_for_now_is_gone_for_good() {
        for kind in [ErrorKind::Transient, ErrorKind::Unknown] {
            let buffer = draining(0..1);
            buffer.assign([0]);
            push(&buffer, 0);
            buffer.fail(Error::new(kind, "receive", "not now"));
            assert_eq!(look(&buffer), Some(1), "what came before is given out");
            let error = buffer.take(ReceiveLimit::messages(1)).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Disconnected, "{kind:?}");
        }
    }

    #[test]
    fn what_is_behind_a_failure_is_neither_given_out_nor_committed() {
        let buffer = Buffer::new(None);
        buffer.assign([0]);
        push_at(&buffer, 0, 0);
        buffer.fail(Error::new(ErrorKind::Unsupported, "receive", "what is it"));
        push_at(&buffer, 0, 2);
        assert!(
            !buffer.wait_for_room(Duration::ZERO),
            "nothing is asked for"
        );
        assert_eq!(look(&buffer), Some(1));
        let error = buffer.take(ReceiveLimit::messages(1)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(buffer.ack([(0, 0), (0, 2)]), [(0, 1)]);
        buffer.stop();
        assert!(buffer.wait_for_room(Duration::ZERO));
    }

    #[test]
    fn a_member_that_gets_no_partition_is_drained() {
        let buffer = draining(0..1);
        assert_eq!(look(&buffer), Some(0));
        buffer.assign([]);
        assert_eq!(look(&buffer), None);
    }
}
