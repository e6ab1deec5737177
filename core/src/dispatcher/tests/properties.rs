//! No sequence of operations loses a message, gives one to two holders, or lets the floor pass.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const PARTITIONS: usize = 3;

#[derive(Debug, Clone)]
enum Event {
    Publish(usize, u64),
    Vanish(usize, u64),
    Trim(usize, u64),
    Expire(usize, Vec<u64>),
    Seek(usize, u64),
    Attach(u64, usize),
    Cancel(usize),
    Poll(usize),
    Get(u64),
    Settle(usize, u8),
    Stale(usize),
    OwnerGone(u64),
    Tick(u64),
    Reserve,
    Purge,
    Stop,
    Crash,
}

fn event() -> impl Strategy<Value = Event> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        8 => (partition.clone(), 1u64..40).prop_map(|(p, n)| Event::Publish(p, n)),
        2 => (partition.clone(), 1u64..5).prop_map(|(p, n)| Event::Vanish(p, n)),
        1 => (partition.clone(), 0u64..80).prop_map(|(p, o)| Event::Trim(p, o)),
        4 => (partition.clone(), prop::collection::vec(0u64..200, 1..20)).prop_map(|(p, o)| Event::Expire(p, o)),
        1 => (partition, 0u64..200).prop_map(|(p, o)| Event::Seek(p, o)),
        4 => (0u64..4, 1usize..9).prop_map(|(o, w)| Event::Attach(o, w)),
        2 => any::<usize>().prop_map(Event::Cancel),
        12 => (1usize..30).prop_map(Event::Poll),
        2 => (0u64..4).prop_map(Event::Get),
        24 => (any::<usize>(), 0u8..7).prop_map(|(i, k)| Event::Settle(i, k)),
        2 => any::<usize>().prop_map(Event::Stale),
        2 => (0u64..4).prop_map(Event::OwnerGone),
        3 => (1u64..80).prop_map(Event::Tick),
        6 => Just(Event::Reserve),
        2 => Just(Event::Purge),
        1 => Just(Event::Stop),
        1 => Just(Event::Crash),
    ]
}

type Place = (PartitionId, Offset);

#[derive(Debug, Clone, Copy)]
struct Held {
    receipt: Receipt,
    owner: OwnerId,
    consumer: Option<ConsumerId>,
    deadline: Option<Millis>,
    /// Whether it was never delivered before.
    is_first: bool,
    /// Whether it expired while it was held.
    is_expired: bool,
}

/// A consumer and its room: what it had, and what it says that it has.
struct Eater {
    id: ConsumerId,
    owner: OwnerId,
    room: usize,
    window: Arc<Window>,
    attached: bool,
}

/// The dispatcher beside a plain account of what it must do.
struct World {
    dispatcher: Dispatcher,
    ends: [u64; PARTITIONS],
    now: Millis,
    persisted: BTreeMap<PartitionId, Vec<Change>>,
    settled: BTreeSet<Place>,
    delivered: BTreeSet<Place>,
    attempts: BTreeMap<Place, u32>,
    deferred: BTreeMap<Place, Millis>,
    resting: BTreeMap<Place, Millis>,
    held: BTreeMap<Place, Held>,
    past: Vec<Receipt>,
    eaters: Vec<Eater>,
}

impl World {
    fn new() -> Self {
        let start = || Cursor::starting_at(Offset::ZERO);
        let snapshots = (0..PARTITIONS).map(|index| (partition_id(index), start().snapshot()));
        Self {
            dispatcher: Dispatcher::new((0..PARTITIONS).map(|_| start())),
            ends: [0; PARTITIONS],
            now: Millis(0),
            persisted: snapshots.collect(),
            settled: BTreeSet::new(),
            delivered: BTreeSet::new(),
            attempts: BTreeMap::new(),
            deferred: BTreeMap::new(),
            resting: BTreeMap::new(),
            held: BTreeMap::new(),
            past: Vec::new(),
            eaters: Vec::new(),
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Publish(index, count) => self.publish(index, count),
            Event::Vanish(index, count) => {
                let start = self.ends[index];
                self.publish(index, count);
                self.vanish(index, start..start + count);
            }
            Event::Trim(index, below) => self.vanish(index, 0..below.min(self.ends[index])),
            Event::Expire(index, offsets) => self.expire(index, offsets),
            Event::Seek(index, to) => self.seek(index, to.min(self.ends[index])),
            Event::Attach(owner, room) => self.attach(owner, room),
            Event::Cancel(pick) => self.cancel(pick),
            Event::Poll(budget) => self.poll(budget),
            Event::Get(owner) => {
                let grant = self.dispatcher.get(OwnerId(owner));
                self.granted(grant, OwnerId(owner));
            }
            Event::Settle(pick, kind) => self.settle(pick, kind),
            Event::Stale(pick) => {
                if let Some(receipt) = self.past.get(pick % self.past.len().max(1)) {
                    let settled = self.dispatcher.settle(*receipt, Settle::Done);
                    assert!(!settled, "a stale receipt settles nothing");
                }
            }
            Event::OwnerGone(owner) => self.owner_gone(OwnerId(owner)),
            Event::Tick(wait) => self.tick(wait),
            Event::Reserve => self.persist(),
            Event::Purge => self.purge(),
            Event::Stop => {
                self.dispatcher.exact_horizons();
                self.restart();
            }
            Event::Crash => self.restart(),
        }
        self.check();
    }

    fn publish(&mut self, index: usize, count: u64) {
        self.ends[index] += count;
        let end = Offset(self.ends[index]);
        self.dispatcher.advance(partition_id(index), end);
    }

    fn vanish(&mut self, index: usize, range: Range<u64>) {
        let at = partition_id(index);
        self.dispatcher
            .vanish(at, Offset(range.start)..Offset(range.end));
        range.for_each(|offset| self.is_settled((at, Offset(offset))));
    }

    fn expire(&mut self, index: usize, mut offsets: Vec<u64>) {
        let at = partition_id(index);
        offsets.retain(|offset| *offset < self.ends[index]);
        offsets.sort_unstable();
        offsets.dedup();
        let offsets: Vec<_> = offsets.into_iter().map(Offset).collect();
        let places = offsets.iter().map(|offset| (at, *offset));
        let held = places.clone().filter(|place| self.held.contains_key(place));
        let held: Vec<_> = held.collect();
        let free: Vec<_> = places
            .filter(|place| !self.held.contains_key(place) && !self.settled.contains(place))
            .collect();
        assert_eq!(self.dispatcher.expire(at, &offsets), free.len() as u64);
        free.into_iter().for_each(|place| self.is_settled(place));
        for place in held {
            let held = self.held.get_mut(&place).expect("it was held before");
            held.is_expired = true;
        }
    }

    fn seek(&mut self, index: usize, to: u64) {
        let at = partition_id(index);
        self.dispatcher.seek(at, Offset(to));
        self.held.retain(|place, _| place.0 != at);
        self.settled.retain(|place| place.0 != at);
        self.settled
            .extend((0..to).map(|offset| (at, Offset(offset))));
        self.delivered.retain(|place| place.0 != at);
        self.attempts.retain(|place, _| place.0 != at);
        self.deferred.retain(|place, _| place.0 != at);
        self.resting.retain(|place, _| place.0 != at);
    }

    fn attach(&mut self, owner: u64, room: usize) {
        let window = Window::of(room);
        let spec = consumer_with(owner, window.clone());
        self.eaters.push(Eater {
            id: self.dispatcher.attach(spec).expect("none is exclusive"),
            owner: OwnerId(owner),
            room,
            window,
            attached: true,
        });
    }

    fn cancel(&mut self, pick: usize) {
        let count = self.eaters.len().max(1);
        if let Some(eater) = self.eaters.get_mut(pick % count) {
            eater.attached = false;
            self.dispatcher.cancel(eater.id);
        }
    }

    fn poll(&mut self, budget: usize) {
        let grants = self.dispatcher.poll(self.now, budget);
        assert!(grants.len() <= budget);
        for grant in grants {
            let is_it = |eater: &&Eater| Some(eater.id) == grant.consumer && eater.attached;
            let eater = self.eaters.iter().find(is_it);
            let owner = eater.expect("it is attached").owner;
            self.granted(Some(grant), owner);
        }
    }

    fn granted(&mut self, grant: Option<Grant>, owner: OwnerId) {
        let Some(Grant {
            receipt, consumer, ..
        }) = grant
        else {
            return;
        };
        let at = (receipt.partition, receipt.offset);
        assert!(at.1.0 < self.ends[at.0.0 as usize], "beyond the end");
        assert!(!self.settled.contains(&at), "settled, and delivered again");
        let due = self.deferred.remove(&at).max(self.resting.remove(&at));
        assert!(due.is_none_or(|due| due <= self.now), "before its time");
        let held = Held {
            receipt,
            owner,
            consumer,
            deadline: consumer.map(|_| self.now.after(LEASE)),
            is_first: self.delivered.insert(at),
            is_expired: false,
        };
        let told = grant.map(|grant| (grant.attempts, grant.redelivered || held.is_first));
        let attempts = self.attempts.get(&at).copied().unwrap_or(0);
        assert_eq!(told, Some((attempts, true)), "redelivered is not told");
        assert!(self.held.insert(at, held).is_none(), "two holders");
    }

    fn settle(&mut self, pick: usize, kind: u8) {
        let pick = pick % self.held.len().max(1);
        let Some((at, held)) = self.held.iter_mut().nth(pick) else {
            return;
        };
        let (at, receipt) = (*at, held.receipt);
        let until = Millis(self.now.0 + 30);
        let settle = match kind {
            0 | 1 => Settle::Done,
            2 => Settle::Release { until: None },
            3 => Settle::Release { until: Some(until) },
            4 => Settle::Unsent,
            5 => Settle::Rest { until },
            _ => Settle::Extend { until },
        };
        assert!(
            self.dispatcher.settle(receipt, settle),
            "a held lease settles"
        );
        match settle {
            Settle::Extend { .. } => held.deadline = Some(until),
            Settle::Done => self.is_settled(at),
            Settle::Release { until } => self.is_released(at, until),
            Settle::Unsent | Settle::Rest { .. } if held.is_expired => self.is_settled(at),
            Settle::Unsent | Settle::Rest { .. } => {
                if let Settle::Rest { until } = settle {
                    self.resting.insert(at, until);
                }
                let held = self.held.remove(&at);
                if held.is_some_and(|held| held.is_first) {
                    self.delivered.remove(&at);
                }
                self.past.push(receipt);
            }
        }
    }

    fn owner_gone(&mut self, owner: OwnerId) {
        let of_owner = self.held.iter().filter(|(_, held)| held.owner == owner);
        let ended: Vec<_> = of_owner.map(|(at, _)| *at).collect();
        assert_eq!(self.dispatcher.release_owner(owner), ended.len());
        ended.into_iter().for_each(|at| self.is_released(at, None));
    }

    fn tick(&mut self, wait: u64) {
        self.now = self.now.after(Duration::from_millis(wait));
        self.dispatcher.tick(self.now);
        let is_over = |held: &Held| held.deadline.is_some_and(|at| at <= self.now);
        let ended = self.held.iter().filter(|(_, held)| is_over(held));
        let ended: Vec<_> = ended.map(|(at, _)| *at).collect();
        ended.into_iter().for_each(|at| self.is_released(at, None));
        self.deferred.retain(|_, due| *due > self.now);
        self.resting.retain(|_, due| *due > self.now);
        let deadlines = self.held.values().filter_map(|held| held.deadline);
        let waits = self.deferred.values().chain(self.resting.values());
        let next = deadlines.chain(waits.copied()).min();
        let told = self.dispatcher.next_tick();
        assert!(next.is_none_or(|next| told.is_some_and(|told| told <= next)));
    }

    fn purge(&mut self) {
        let places = (0..PARTITIONS).flat_map(|index| self.places(index));
        let waits = |at: &Place| {
            !self.settled.contains(at)
                && !self.held.contains_key(at)
                && !self.deferred.contains_key(at)
        };
        let ready: Vec<_> = places.filter(waits).collect();
        assert_eq!(self.dispatcher.purge(), ready.len() as u64);
        ready.into_iter().for_each(|at| self.is_settled(at));
    }

    fn persist(&mut self) {
        for (partition, change) in self.dispatcher.take_changes() {
            if let Change::Horizon(horizon) = &change {
                self.dispatcher.reserved(partition, *horizon);
            }
            self.persisted.entry(partition).or_default().push(change);
        }
    }

    fn restart(&mut self) {
        self.persist();
        let cursors = self.persisted.iter().map(|(partition, changes)| {
            let end = Offset(self.ends[partition.0 as usize]);
            Cursor::recover(changes.clone(), Offset::ZERO, end)
        });
        self.dispatcher = Dispatcher::new(cursors);
        for (index, end) in self.ends.iter().enumerate() {
            self.dispatcher.advance(partition_id(index), Offset(*end));
        }
        self.held.clear();
        self.resting.clear();
        self.past.clear();
        self.eaters.clear();
    }

    fn is_settled(&mut self, at: Place) {
        self.past
            .extend(self.held.remove(&at).map(|held| held.receipt));
        self.deferred.remove(&at);
        self.resting.remove(&at);
        self.settled.insert(at);
    }

    fn is_released(&mut self, at: Place, until: Option<Millis>) {
        if self.held.get(&at).is_some_and(|held| held.is_expired) {
            return self.is_settled(at);
        }
        self.past
            .extend(self.held.remove(&at).map(|held| held.receipt));
        *self.attempts.entry(at).or_default() += 1;
        self.deferred.extend(until.map(|due| (at, due)));
    }

    fn places(&self, index: usize) -> impl Iterator<Item = Place> + use<> {
        let at = partition_id(index);
        (0..self.ends[index]).map(move |offset| (at, Offset(offset)))
    }

    fn check(&self) {
        for index in 0..PARTITIONS {
            let cursor = self.dispatcher.cursor(partition_id(index));
            let cursor = cursor.expect("the partition is there");
            for at in self.places(index) {
                assert_eq!(cursor.is_settled(at.1), self.settled.contains(&at));
            }
        }
        let total: u64 = self.ends.iter().sum();
        let (leased, deferred) = (self.held.len() as u64, self.deferred.len() as u64);
        let counts = self.dispatcher.counts();
        let expected = Counts {
            ready: total - leased - deferred - self.settled.len() as u64,
            leased,
            deferred,
            consumers: self.eaters.iter().filter(|eater| eater.attached).count(),
        };
        assert_eq!(
            counts, expected,
            "every message is ready, leased, deferred or settled"
        );
        for eater in &self.eaters {
            let of_eater = |held: &&Held| held.consumer == Some(eater.id);
            let holds = self.held.values().filter(of_eater).count();
            assert_eq!(
                eater.window.room(),
                eater.room - holds,
                "its room is what it does not hold"
            );
        }
    }

    /// Everything that is left can be had and acked.
    fn drain(&mut self) {
        self.tick(1_000_000);
        (0..4).for_each(|owner| self.owner_gone(OwnerId(owner)));
        self.attach(9, usize::MAX / 2);
        loop {
            self.persist();
            self.poll(100);
            if self.held.is_empty() && self.dispatcher.changes.is_empty() {
                break;
            }
            while !self.held.is_empty() {
                self.settle(0, 0);
            }
        }
        let total: u64 = self.ends.iter().sum();
        assert_eq!(self.settled.len() as u64, total, "a message was lost");
        for (index, end) in self.ends.iter().enumerate() {
            let cursor = self.dispatcher.cursor(partition_id(index));
            assert_eq!(cursor.map(Cursor::floor), Some(Offset(*end)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_order_of_events_loses_or_doubles_a_message(events in prop::collection::vec(event(), 1..120)) {
        let mut world = World::new();
        events.into_iter().for_each(|event| world.step(event));
        world.drain();
    }
}
