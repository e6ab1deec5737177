//! What waits to be sent, lane by lane.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use crate::message::Message;

/// Number of a source message within its flow.
pub(super) type SourceId = u64;

/// One message to be sent.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) source: SourceId,
    pub(super) lane: u64,
    pub(super) message: Message,
    pub(super) attempts: u32,
}

/// Lanes of outputs; a lane on hold keeps its order and lets the others pass.
#[derive(Debug, Default)]
pub(super) struct LaneQueues {
    lanes: HashMap<u64, Lane, foldhash::fast::RandomState>,
    ready: VecDeque<u64>,
    on_hold: Vec<(Instant, u64)>,
    /// How many lanes are failing.
    failing: usize,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Output>,
    /// In `ready`, on hold, or in flight: to be woken by what ends that.
    placed: bool,
    failures: u32,
    /// It has made no progress since it failed, not even while it is tried again.
    failing: bool,
}

impl LaneQueues {
    /// Appends an output to its lane.
    pub(super) fn push(&mut self, output: Output) {
        let number = output.lane;
        let lane = self.lanes.entry(number).or_default();
        lane.waiting.push_back(output);
        if !lane.placed {
            lane.placed = true;
            self.ready.push_back(number);
        }
    }

    /// Takes the next outputs of ready lanes, up to both limits, save that the first always fits.
    pub(super) fn take(&mut self, count: usize, bytes: usize) -> Vec<Output> {
        let (mut taken, mut size) = (Vec::new(), 0);
        while let Some(number) = self.ready.pop_front() {
            let lane = self.lanes.get_mut(&number).expect("a ready lane exists");
            while let Some(output) = lane.waiting.pop_front() {
                size += output.message.size();
                if !taken.is_empty() && (taken.len() == count || size > bytes) {
                    lane.waiting.push_front(output);
                    // It is in flight if something of it was taken, and ready if not.
                    if taken.last().is_none_or(|last: &Output| last.lane != number) {
                        self.ready.push_front(number);
                    }
                    return taken;
                }
                taken.push(output);
            }
        }
        taken
    }

    /// Puts what failed back to the front of its lane, in order.
    pub(super) fn put_back(&mut self, failed: Vec<Output>) {
        for output in failed.into_iter().rev() {
            let lane = self.lanes.get_mut(&output.lane).expect("it was in flight");
            lane.waiting.push_front(output);
        }
    }

    /// Ends a lane's flight: it is ready again, or over.
    pub(super) fn landed(&mut self, number: u64) {
        let lane = self.lanes.get_mut(&number).expect("it was in flight");
        lane.failures = 0;
        self.failing -= usize::from(std::mem::take(&mut lane.failing));
        if lane.waiting.is_empty() {
            self.lanes.remove(&number);
        } else {
            self.ready.push_back(number);
        }
    }

    /// Ends a lane's flight with a failure, the first or one more since `progress`; the lane is
    /// held until what `until` says for that many failures.
    pub(super) fn hold(&mut self, number: u64, progress: bool, until: impl Fn(u32) -> Instant) {
        let lane = self.lanes.get_mut(&number).expect("it was in flight");
        // Progress before the first failure says nothing about what failed.
        let failing = !(progress && lane.failures > 0);
        self.failing += usize::from(failing);
        self.failing -= usize::from(std::mem::replace(&mut lane.failing, failing));
        lane.failures = if progress {
            1
        } else {
            lane.failures.saturating_add(1)
        };
        self.on_hold.push((until(lane.failures), number));
    }

    /// When the next lane comes off its hold.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.on_hold.iter().map(|(until, _)| *until).min()
    }

    /// Takes lanes off their holds.
    pub(super) fn wake(&mut self, now: Instant) {
        let ready = &mut self.ready;
        self.on_hold.retain(|(until, number)| {
            if *until <= now {
                ready.push_back(*number);
            }
            *until > now
        });
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether a lane has made no progress since it failed.
    pub(super) fn has_failing(&self) -> bool {
        self.failing > 0
    }

    pub(super) fn has_held(&self) -> bool {
        !self.on_hold.is_empty()
    }
}
