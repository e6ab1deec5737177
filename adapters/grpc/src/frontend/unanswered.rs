//! Room for what was published on a connection and is not answered yet. A message of two octets takes
//! hundreds once it is decoded: it is messages that are counted here, and not octets.

use std::{
    sync::Arc,
    task::{Poll, ready},
};

use futures::{
    StreamExt as _,
    stream::{self, Stream},
};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tonic::Status;

use crate::codec::PUBLISH_MESSAGES;

/// Messages of all calls of one connection.
const ROOM: usize = 16 << 10;

/// The room of one connection; first come, first served.
#[derive(Debug, Clone)]
pub(super) struct Unanswered(Arc<Semaphore>);

impl Default for Unanswered {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM)))
    }
}

impl Unanswered {
    /// The requests of a call, each with room for the largest; none is decoded before there is that. While
    /// one `is_coming`, the room for it is kept: it is in time only where it is looked for all the while.
    pub(super) fn admit<S, T, C>(
        &self,
        mut requests: S,
        is_coming: C,
    ) -> impl Stream<Item = Result<(T, OwnedSemaphorePermit), Status>> + Unpin + use<S, T, C>
    where
        S: Stream<Item = Result<T, Status>> + Unpin,
        C: Fn() -> bool + Unpin,
    {
        let mut room = PollSemaphore::new(self.0.clone());
        let mut largest = None;
        stream::poll_fn(move |context| {
            if largest.is_none() {
                largest = ready!(room.poll_acquire_many(context, PUBLISH_MESSAGES as u32));
            }
            let Poll::Ready(request) = requests.poll_next_unpin(context) else {
                // Where nothing is coming, the room is given back at once: others have something.
                largest = largest.take().filter(|_| is_coming());
                return Poll::Pending;
            };
            let admitted = request.zip(largest.take());
            Poll::Ready(admitted.map(|(request, room)| request.map(|request| (request, room))))
        })
    }

    /// Whether the next request of any call must wait.
    pub(super) fn is_full(&self) -> bool {
        self.0.available_permits() < PUBLISH_MESSAGES
    }
}

/// What one call holds of it.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<Option<OwnedSemaphorePermit>>);

impl Held {
    /// Keeps as much of what a request was admitted with as its `messages` take.
    pub(super) fn keep(&self, mut admitted: OwnedSemaphorePermit, messages: usize) {
        // The codec lets no more messages through than there is room for.
        let Some(kept) = admitted.split(messages) else {
            return;
        };
        let mut held = self.0.lock();
        match held.as_mut() {
            Some(held) => held.merge(kept),
            None => *held = Some(kept),
        }
    }

    /// The room of `messages` that are answered.
    pub(super) fn release(&self, messages: usize) -> Option<OwnedSemaphorePermit> {
        let mut held = self.0.lock();
        held.as_mut()?.split(messages)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn what_is_not_answered_yet_leaves_the_next_requests_undecoded() {
        let (unanswered, held) = (Unanswered::default(), Held::default());
        let endless = || stream::repeat_with(|| Ok(PUBLISH_MESSAGES - 1));
        let requests = || unanswered.admit(endless(), || false);
        let (mut first, mut second) = (requests(), requests());
        let mut silent = unanswered.admit(stream::pending::<Result<usize, Status>>(), || false);
        let most = ROOM / PUBLISH_MESSAGES;
        for _ in 0..most {
            assert!(silent.next().now_or_never().is_none());
            let (messages, room) = first.next().now_or_never().unwrap().unwrap().unwrap();
            held.keep(room, messages);
        }
        assert!(unanswered.is_full());
        assert!(first.next().now_or_never().is_none());
        drop(first);
        assert!(second.next().now_or_never().is_none());
        let answered = held.release(PUBLISH_MESSAGES - 1);
        assert!(second.next().now_or_never().is_none(), "it is on its way");
        drop(answered);
        assert!(second.next().now_or_never().is_some());
        drop(held);
        assert!(!unanswered.is_full());
    }

    #[test]
    fn a_request_of_which_a_part_has_come_keeps_its_room() {
        let unanswered = Unanswered::default();
        let pending = || stream::pending::<Result<usize, Status>>();
        let mut coming = unanswered.admit(pending(), || true);
        assert!(coming.next().now_or_never().is_none());
        assert_eq!(unanswered.0.available_permits(), ROOM - PUBLISH_MESSAGES);
        let mut silent = unanswered.admit(pending(), || false);
        assert!(silent.next().now_or_never().is_none());
        assert_eq!(unanswered.0.available_permits(), ROOM - PUBLISH_MESSAGES);
        drop(coming);
        assert_eq!(unanswered.0.available_permits(), ROOM);
    }
}
