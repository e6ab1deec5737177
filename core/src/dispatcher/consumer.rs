//! Consumers of a subscription, and their turn.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use super::denied;
use crate::error::Result;

/// Whoever is answerable for leases: a channel, a stream. When it ends, its leases do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u64);

/// One attached consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(pub u64);

/// How much a consumer wants. Several consumers may share one (AMQP's channel prefetch).
pub trait Demand: Send + Sync + fmt::Debug {
    /// Takes room for one message, if there is any.
    fn take(&self) -> bool;

    /// A lease ended: its room is free again, where the demand counts unsettled messages.
    fn give_back(&self);
}

/// A consumer as it attaches.
#[derive(Debug, Clone)]
pub struct ConsumerSpec {
    /// Who answers for its leases.
    pub owner: OwnerId,
    /// How much it wants.
    pub demand: Arc<dyn Demand>,
    /// Whether it must be the only one.
    pub exclusive: bool,
    /// How long a lease lasts; `None` lasts as long as its owner.
    pub lease: Option<Duration>,
}

/// Cancelled consumers that the ring may hold beyond as many as the attached ones.
const SPARE: usize = 64;

/// Attached consumers in a ring. One that is cancelled stays in it until its turn comes, or until there
/// are more of those than of others: there may be very many consumers, and they come and go.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    specs: HashMap<ConsumerId, Attached>,
    ring: VecDeque<ConsumerId>,
    attached: usize,
    /// Whether the attached one, which is alone then, is exclusive.
    is_exclusive: bool,
    next: u64,
}

#[derive(Debug)]
struct Attached {
    spec: ConsumerSpec,
    leases: usize,
    cancelled: bool,
}

impl Consumers {
    pub(super) fn len(&self) -> usize {
        self.attached
    }

    pub(super) fn attach(&mut self, spec: ConsumerSpec) -> Result<ConsumerId> {
        if self.is_exclusive {
            return Err(denied(
                "an exclusive consumer has this subscription; wait until it leaves",
            ));
        }
        if spec.exclusive && self.attached > 0 {
            return Err(denied(
                "exclusive use was asked for, and others consume already",
            ));
        }
        let id = ConsumerId(self.next);
        self.next += 1;
        self.attached += 1;
        self.is_exclusive = spec.exclusive;
        let attached = Attached {
            spec,
            leases: 0,
            cancelled: false,
        };
        self.specs.insert(id, attached);
        self.ring.push_back(id);
        Ok(id)
    }

    pub(super) fn cancel(&mut self, consumer: ConsumerId) {
        let attached = self.specs.get_mut(&consumer);
        let Some(attached) = attached.filter(|attached| !attached.cancelled) else {
            return;
        };
        attached.cancelled = true;
        if attached.leases == 0 {
            self.specs.remove(&consumer);
        }
        self.attached -= 1;
        self.is_exclusive = false;
        if self.ring.len() > 2 * self.attached + SPARE {
            let is_attached =
                |id: &ConsumerId| self.specs.get(id).is_some_and(|one| !one.cancelled);
            self.ring.retain(is_attached);
        }
    }

    pub(super) fn spec(&self, consumer: ConsumerId) -> Option<&ConsumerSpec> {
        self.specs.get(&consumer).map(|attached| &attached.spec)
    }

    /// The next in the ring that takes one; it goes to the ring's end.
    pub(super) fn next_with_demand(&mut self) -> Option<ConsumerId> {
        for _ in 0..self.ring.len() {
            let id = self.ring.pop_front()?;
            let attached = self.specs.get_mut(&id);
            let Some(attached) = attached.filter(|attached| !attached.cancelled) else {
                continue;
            };
            self.ring.push_back(id);
            if attached.spec.demand.take() {
                attached.leases += 1;
                return Some(id);
            }
        }
        None
    }

    pub(super) fn give_back(&mut self, consumer: Option<ConsumerId>) {
        let Some(id) = consumer else { return };
        let Some(attached) = self.specs.get_mut(&id) else {
            return;
        };
        attached.leases -= 1;
        attached.spec.demand.give_back();
        if attached.cancelled && attached.leases == 0 {
            self.specs.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Endless;

    impl Demand for Endless {
        fn take(&self) -> bool {
            true
        }
        fn give_back(&self) {}
    }

    fn spec(exclusive: bool) -> ConsumerSpec {
        ConsumerSpec {
            owner: OwnerId(1),
            demand: Arc::new(Endless),
            exclusive,
            lease: None,
        }
    }

    #[test]
    fn a_cancelled_consumer_is_known_until_its_last_lease_ends() {
        let mut consumers = Consumers::default();
        let id = consumers.attach(spec(true)).unwrap();
        let leases = [(); 2].map(|()| consumers.next_with_demand());
        assert_eq!(leases, [Some(id); 2]);
        consumers.cancel(id);
        assert_eq!((consumers.len(), consumers.next_with_demand()), (0, None));
        for lease in leases {
            assert!(consumers.spec(id).is_some());
            consumers.give_back(lease);
        }
        assert!(consumers.spec(id).is_none());
        let idle = consumers.attach(spec(true)).unwrap();
        consumers.cancel(idle);
        assert!(consumers.spec(idle).is_none());
    }

    #[test]
    fn a_cancelled_consumer_leaves_the_ring_at_its_turn_without_a_walk() {
        let mut consumers = Consumers::default();
        let [first, second, third] = [(); 3].map(|()| consumers.attach(spec(false)).unwrap());
        let held = consumers.next_with_demand();
        assert_eq!(held, Some(first));
        for gone in [first, second, second] {
            consumers.cancel(gone);
        }
        assert_eq!((consumers.len(), consumers.ring.len()), (1, 3));
        let turns = [(); 2].map(|()| consumers.next_with_demand());
        assert_eq!(turns, [Some(third); 2]);
        assert_eq!(consumers.ring, [third]);
        consumers.give_back(held);
        assert_eq!(consumers.len(), 1);
    }

    #[test]
    fn consumers_that_come_and_go_without_a_turn_leave_little_behind() {
        let mut consumers = Consumers::default();
        let stays = consumers.attach(spec(false)).unwrap();
        let held = consumers.attach(spec(false)).unwrap();
        let turns = [(); 2].map(|()| consumers.next_with_demand());
        assert_eq!(turns, [Some(stays), Some(held)]);
        consumers.cancel(held);
        let mut longest = 0;
        for _ in 0..1000 {
            let id = consumers.attach(spec(false)).unwrap();
            consumers.cancel(id);
            longest = longest.max(consumers.ring.len());
        }
        assert_eq!(longest, 2 + SPARE);
        assert_eq!(consumers.next_with_demand(), Some(stays));
        assert_eq!(consumers.len(), 1);
    }

    #[test]
    fn one_that_is_cancelled_twice_ends_no_other_ones_exclusive_use() {
        let mut consumers = Consumers::default();
        let before = consumers.attach(spec(false)).unwrap();
        let lease = consumers.next_with_demand();
        consumers.cancel(before);
        consumers.attach(spec(true)).unwrap();
        consumers.cancel(before);
        consumers.give_back(lease);
        consumers.cancel(before);
        assert!(consumers.attach(spec(false)).is_err());
        assert_eq!(consumers.len(), 1);
    }
}
