//! How many there are of something over the whole broker.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The number; what is a part of it counts until it is dropped.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally(Arc<AtomicUsize>);

/// A part of a [`Tally`].
#[derive(Debug)]
pub(super) struct Share {
    all: Tally,
    own: AtomicUsize,
}

impl Tally {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn share(&self, count: usize) -> Share {
        let share = Share {
            all: self.clone(),
            own: AtomicUsize::new(0),
        };
        share.add(count);
        share
    }
}

impl Share {
    pub(super) fn add(&self, count: usize) {
        self.own.fetch_add(count, Ordering::Relaxed);
        self.all.0.fetch_add(count, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let own = self.own.load(Ordering::Relaxed);
        self.all.0.fetch_sub(own, Ordering::Relaxed);
    }
}
