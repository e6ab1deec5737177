//! What a dispatcher promises, by example and over any order of events.

mod examples;
mod properties;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::*;

const LEASE: Duration = Duration::from_millis(50);

/// Room for so many unsettled messages.
#[derive(Debug)]
struct Window(AtomicUsize);

impl Window {
    fn of(room: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(room)))
    }

    fn room(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Demand for Window {
    fn take(&self) -> bool {
        self.0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
            .is_ok()
    }
    fn give_back(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn consumer_with(owner: u64, demand: Arc<Window>) -> ConsumerSpec {
    ConsumerSpec {
        owner: OwnerId(owner),
        demand,
        exclusive: false,
        lease: Some(LEASE),
    }
}

fn consumer(owner: u64, room: usize) -> ConsumerSpec {
    consumer_with(owner, Window::of(room))
}
