//! How many octets of requests are held at once, all streams together: from when they come until the
//! broker has taken them.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What came on a stream is not counted up to here: streams are.
const SMALL: usize = 16 << 10;
/// Octets of requests that are larger; the one that is let through whatever is held comes on top.
const ROOM: usize = 256 << 20;
const UNIT: usize = 1 << 10;
/// Octets that gRPC has before a request.
const PREFIX: usize = 5;

tokio::task_local! {
    /// Generated code makes the decoders, and has no other way to tell them their stream.
    static SHARE: Arc<Share>;
}

/// The share of the stream that is being opened; `None` where no server opens one.
pub(crate) fn current() -> Option<Arc<Share>> {
    SHARE.try_with(Arc::clone).ok()
}

/// Opens a stream with `share`.
pub(crate) async fn opening<F: Future>(share: Arc<Share>, stream: F) -> F::Output {
    SHARE.scope(share, stream).await
}

/// Room for large requests; first come, first served.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    room: Arc<Semaphore>,
    /// Has one permit: the request that holds it needs no room. Requests that hold a part of the
    /// room each, and wait for more, would otherwise wait for each other.
    alone: Arc<Semaphore>,
}

impl Default for Intake {
    fn default() -> Self {
        Self::of(ROOM)
    }
}

impl Intake {
    fn of(octets: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(octets / UNIT)),
            alone: Arc::new(Semaphore::new(1)),
        }
    }

    /// The share of a stream on which nothing has come yet.
    pub(crate) fn share(&self) -> Share {
        Share {
            intake: self.clone(),
            coming: Mutex::default(),
            taken: Arc::default(),
        }
    }
}

/// What one stream holds of the room.
#[derive(Debug)]
pub(crate) struct Share {
    intake: Intake,
    coming: Mutex<Coming>,
    /// Shared with every large request that is whole and still there.
    taken: Arc<()>,
}

/// The request that is not whole yet.
#[derive(Debug, Default)]
struct Coming {
    /// How many were whole before it.
    number: u64,
    octets: usize,
    held: Held,
}

#[derive(Debug, Default)]
struct Held {
    room: Option<OwnedSemaphorePermit>,
    alone: Option<OwnedSemaphorePermit>,
}

impl Held {
    fn units(&self) -> usize {
        self.room.as_ref().map_or(0, |room| room.num_permits())
    }

    fn add(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.room {
            Some(room) => room.merge(more),
            None => self.room = Some(more),
        }
    }

    /// Everything but `units` of the room.
    fn take_but(&mut self, units: usize) -> Self {
        let more = self.units().saturating_sub(units);
        Self {
            room: self.room.as_mut().and_then(|room| room.split(more)),
            alone: self.alone.take(),
        }
    }

    fn is_empty(&self) -> bool {
        self.units() == 0 && self.alone.is_none()
    }
}

impl Share {
    /// Counts `octets` that came, and waits until the stream may hold them. Cancel-safe.
    pub(crate) async fn grow(&self, octets: usize) {
        let missing = self.count(octets);
        if missing == 0 {
            return;
        }
        let Intake { room, alone } = self.intake.clone();
        tokio::select! {
            biased;
            Ok(more) = room.acquire_many_owned(missing) => self.coming.lock().held.add(more),
            Ok(alone) = alone.acquire_owned() => self.coming.lock().held.alone = Some(alone),
            else => {}
        }
    }

    /// The units that are missing once `octets` more came.
    fn count(&self, octets: usize) -> u32 {
        let mut coming = self.coming.lock();
        coming.octets = coming.octets.saturating_add(octets);
        if coming.held.alone.is_some() {
            return 0;
        }
        let missing = units(coming.octets).saturating_sub(coming.held.units());
        u32::try_from(missing).unwrap_or(u32::MAX)
    }

    /// The number of the request of which only a part came; `None` where there is none.
    pub(crate) fn unfinished(&self) -> Option<u64> {
        let coming = self.coming.lock();
        (coming.octets > 0).then_some(coming.number)
    }

    /// A request that is whole: its octets keep what is held for them until the last is dropped.
    pub(crate) fn whole(&self, octets: Bytes) -> Bytes {
        let mut coming = self.coming.lock();
        coming.number += 1;
        coming.octets = coming.octets.saturating_sub(PREFIX + octets.len());
        let rest = units(coming.octets);
        let held = coming.held.take_but(rest);
        if held.is_empty() {
            return octets;
        }
        Bytes::from_owner(Whole {
            octets,
            _held: held,
            _taken: self.taken.clone(),
        })
    }

    /// Whether others may have to wait for what this stream holds.
    pub(crate) fn holds_room(&self) -> bool {
        Arc::strong_count(&self.taken) > 1
    }
}

/// A whole request, and what is held for it.
struct Whole {
    octets: Bytes,
    _held: Held,
    _taken: Arc<()>,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

fn units(octets: usize) -> usize {
    if octets > SMALL { octets / UNIT } else { 0 }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const LARGE: usize = 40 << 10;

    fn large() -> Bytes {
        Bytes::from(vec![0; LARGE])
    }

    #[test]
    fn a_request_holds_its_room_until_its_last_octet_is_dropped() {
        let intake = Intake::of(64 << 10);
        let [first, second, third] = [(); 3].map(|()| intake.share());
        assert!(first.grow(LARGE).now_or_never().is_some());
        let whole = first.whole(large());
        assert!(first.holds_room());
        assert!(second.grow(LARGE).now_or_never().is_some(), "one passes");
        assert!(third.grow(LARGE).now_or_never().is_none());
        let slice = whole.slice(1..2);
        drop(whole);
        assert!(third.grow(0).now_or_never().is_none());
        drop(slice);
        assert!(third.grow(0).now_or_never().is_some());
        assert!(!first.holds_room());
    }

    #[test]
    fn a_stream_that_ends_gives_back_what_it_held() {
        let intake = Intake::of(64 << 10);
        for _ in 0..10 {
            let share = intake.share();
            assert!(share.grow(LARGE).now_or_never().is_some());
            assert_eq!(share.unfinished(), Some(0));
        }
        assert_eq!(intake.room.available_permits(), 64);
        assert_eq!(intake.alone.available_permits(), 1);
    }

    #[test]
    fn small_requests_hold_nothing_and_a_part_of_the_next_is_its_own() {
        let intake = Intake::of(64 << 10);
        let share = intake.share();
        assert!(share.grow(LARGE + PREFIX + 100).now_or_never().is_some());
        let whole = share.whole(large());
        assert_eq!(share.unfinished(), Some(1));
        assert_eq!(intake.room.available_permits(), 64 - 40);
        drop(whole);
        assert_eq!(intake.room.available_permits(), 64);
        share.whole(Bytes::from(vec![0; 95]));
        assert_eq!(share.unfinished(), None);
        assert!(!share.holds_room());
    }
}
