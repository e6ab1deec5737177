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

#[derive(Debug, Default)]
pub(super) struct Consumers {
    specs: HashMap<ConsumerId, Attached>,
    ring: VecDeque<ConsumerId>,
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
        self.ring.len()
    }

    pub(super) fn attach(&mut self, spec: ConsumerSpec) -> Result<ConsumerId> {
        let taken = self.ring.iter().any(|id| self.specs[id].spec.exclusive);
        if taken {
            return Err(denied(
                "an exclusive consumer has this subscription; wait until it leaves",
            ));
        }
        if spec.exclusive && !self.ring.is_empty() {
            return Err(denied(
                "exclusive use was asked for, and others consume already",
            ));
        }
        let id = ConsumerId(self.next);
        self.next += 1;
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
        self.ring.retain(|id| *id != consumer);
        if let Some(attached) = self.specs.get_mut(&consumer) {
            attached.cancelled = true;
            if attached.leases == 0 {
                self.specs.remove(&consumer);
            }
        }
    }

    pub(super) fn spec(&self, consumer: ConsumerId) -> Option<&ConsumerSpec> {
        self.specs.get(&consumer).map(|attached| &attached.spec)
    }

    /// The next in the ring that takes one; it goes to the ring's end.
    pub(super) fn next_with_demand(&mut self) -> Option<ConsumerId> {
        for _ in 0..self.ring.len() {
            let id = self.ring.pop_front()?;
            self.ring.push_back(id);
            let attached = self.specs.get_mut(&id)?;
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

    #[test]
    fn a_cancelled_consumer_is_known_until_its_last_lease_ends() {
        let mut consumers = Consumers::default();
        let spec = ConsumerSpec {
            owner: OwnerId(1),
            demand: Arc::new(Endless),
            exclusive: true,
            lease: None,
        };
        let id = consumers.attach(spec.clone()).unwrap();
        let leases = [(); 2].map(|()| consumers.next_with_demand());
        assert_eq!(leases, [Some(id); 2]);
        consumers.cancel(id);
        assert_eq!((consumers.len(), consumers.next_with_demand()), (0, None));
        for lease in leases {
            assert!(consumers.spec(id).is_some());
            consumers.give_back(lease);
        }
        assert!(consumers.spec(id).is_none());
        let idle = consumers.attach(spec).unwrap();
        consumers.cancel(idle);
        assert!(consumers.spec(idle).is_none());
    }
}
