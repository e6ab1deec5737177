//! No sequence of operations loses a message, gives one to two holders, or lets the floor pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;

use super::*;

#[derive(Debug)]
struct Window(AtomicUsize);

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

fn consumer(owner: u64, window: usize) -> ConsumerSpec {
    ConsumerSpec {
        owner: OwnerId(owner),
        demand: Arc::new(Window(AtomicUsize::new(window))),
        exclusive: false,
        lease: Some(Duration::from_millis(50)),
    }
}

#[derive(Debug, Clone)]
enum Event {
    Publish(u8, u64),
    Vanish(u8, u64),
    Expire(u8, Vec<u64>),
    Attach(u64, usize),
    Cancel(usize),
    Poll(usize),
    Get(u64),
    Settle(usize, u8),
    Stale(usize),
    OwnerGone(u64),
    Tick(i64),
    Reserve,
    Purge,
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0u8..3, 1u64..40).prop_map(|(p, n)| Event::Publish(p, n)),
        1 => (0u8..3, 1u64..5).prop_map(|(p, n)| Event::Vanish(p, n)),
        2 => (0u8..3, prop::collection::vec(0u64..200, 1..20)).prop_map(|(p, o)| Event::Expire(p, o)),
        2 => (0u64..4, 1usize..9).prop_map(|(o, w)| Event::Attach(o, w)),
        1 => any::<usize>().prop_map(Event::Cancel),
        6 => (1usize..30).prop_map(Event::Poll),
        1 => (0u64..4).prop_map(Event::Get),
        12 => (any::<usize>(), 0u8..5).prop_map(|(i, k)| Event::Settle(i, k)),
        1 => any::<usize>().prop_map(Event::Stale),
        1 => (0u64..4).prop_map(Event::OwnerGone),
        1 => (1i64..80).prop_map(Event::Tick),
        3 => Just(Event::Reserve),
        1 => Just(Event::Purge),
        1 => Just(Event::Restart),
    ]
}

/// The dispatcher beside a plain account of what it must do.
struct World {
    dispatcher: Dispatcher,
    ends: [u64; 3],
    now: Millis,
    persisted: BTreeMap<PartitionId, Vec<Change>>,
    settled: BTreeSet<(PartitionId, Offset)>,
    delivered: BTreeSet<(PartitionId, Offset)>,
    held: BTreeMap<(PartitionId, Offset), Receipt>,
    past: Vec<Receipt>,
    consumers: Vec<ConsumerId>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            dispatcher: Dispatcher::new((0..3).map(|_| Cursor::starting_at(Offset(0)))),
            ends: [0; 3],
            now: Millis(0),
            persisted: BTreeMap::new(),
            settled: BTreeSet::new(),
            delivered: BTreeSet::new(),
            held: BTreeMap::new(),
            past: Vec::new(),
            consumers: Vec::new(),
        };
        for partition in (0..3).map(PartitionId) {
            let snapshot = Cursor::starting_at(Offset(0)).snapshot();
            world.persisted.insert(partition, snapshot);
        }
        world
    }

    fn persist(&mut self) {
        for (partition, change) in self.dispatcher.take_changes() {
            if let Change::Horizon(horizon) = &change {
                self.dispatcher.reserved(partition, *horizon);
            }
            self.persisted.entry(partition).or_default().push(change);
        }
    }

    fn granted(&mut self, grants: Vec<Grant>) {
        for grant in grants {
            let at = (grant.receipt.partition, grant.receipt.offset);
            assert!(at.1.0 < self.ends[at.0.0 as usize], "beyond the end");
            assert!(!self.settled.contains(&at), "settled, and delivered again");
            assert!(self.held.insert(at, grant.receipt).is_none(), "two holders");
            assert!(
                grant.redelivered || !self.delivered.contains(&at),
                "redelivered is not told"
            );
            self.delivered.insert(at);
        }
    }

    /// Leases that the dispatcher itself ended: by deadline or with their owner.
    fn forget_ended(&mut self) {
        let dispatcher = &self.dispatcher;
        self.held.retain(|(partition, offset), receipt| {
            let lane = &dispatcher.lanes[partition.0 as usize];
            lane.leases
                .get(offset)
                .is_some_and(|lease| lease.number == receipt.lease)
        });
    }

    fn settle(&mut self, pick: usize, kind: u8) {
        let Some((at, receipt)) = self.held.iter().nth(pick % self.held.len().max(1)) else {
            return;
        };
        let (at, receipt) = (*at, *receipt);
        let until = Millis(self.now.0 + 30);
        let settle = match kind {
            0 | 1 => Settle::Done,
            2 => Settle::Release { until: None },
            3 => Settle::Release { until: Some(until) },
            _ => Settle::Extend { until },
        };
        assert!(
            self.dispatcher.settle(receipt, settle),
            "a held lease settles"
        );
        match settle {
            Settle::Extend { .. } => return,
            Settle::Done => {
                self.settled.insert(at);
            }
            _ => {}
        }
        self.held.remove(&at);
        self.past.push(receipt);
    }

    fn restart(&mut self) {
        self.persist();
        let cursors = self.persisted.iter().map(|(partition, changes)| {
            let end = Offset(self.ends[partition.0 as usize]);
            Cursor::recover(changes.clone(), Offset(0), end)
        });
        self.dispatcher = Dispatcher::new(cursors);
        for (index, end) in self.ends.iter().enumerate() {
            self.dispatcher.advance(partition_id(index), Offset(*end));
        }
        self.held.clear();
        self.past.clear();
        self.consumers.clear();
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Publish(partition, count) => self.publish(partition, count),
            Event::Vanish(partition, count) => {
                let start = self.ends[partition as usize];
                self.publish(partition, count);
                let range = Offset(start)..Offset(start + count);
                self.settled.extend(
                    (range.start.0..range.end.0)
                        .map(|o| (PartitionId(partition.into()), Offset(o))),
                );
                self.dispatcher.vanish(PartitionId(partition.into()), range);
            }
            Event::Expire(partition, offsets) => self.expire(partition, offsets),
            Event::Attach(owner, window) => {
                self.consumers
                    .extend(self.dispatcher.attach(consumer(owner, window)));
            }
            Event::Cancel(pick) if !self.consumers.is_empty() => {
                let id = self.consumers.swap_remove(pick % self.consumers.len());
                self.dispatcher.cancel(id);
            }
            Event::Poll(budget) => {
                let grants = self.dispatcher.poll(self.now, budget);
                self.granted(grants);
            }
            Event::Get(owner) => {
                let grant = self.dispatcher.get(OwnerId(owner));
                self.granted(grant.into_iter().collect());
            }
            Event::Settle(pick, kind) => self.settle(pick, kind),
            Event::Stale(pick) => {
                if let Some(receipt) = self.past.get(pick % self.past.len().max(1)) {
                    assert!(
                        !self.dispatcher.settle(*receipt, Settle::Done),
                        "a stale receipt settles nothing"
                    );
                }
            }
            Event::OwnerGone(owner) => {
                self.dispatcher.release_owner(OwnerId(owner));
            }
            Event::Tick(wait) => {
                self.now.0 += wait;
                self.dispatcher.tick(self.now);
            }
            Event::Reserve => self.persist(),
            Event::Purge => self.purge(),
            Event::Restart => self.restart(),
            Event::Cancel(_) => {}
        }
        self.forget_ended();
        self.check();
    }

    fn publish(&mut self, partition: u8, count: u64) {
        let end = &mut self.ends[partition as usize];
        *end += count;
        self.dispatcher
            .advance(PartitionId(partition.into()), Offset(*end));
    }

    fn expire(&mut self, partition: u8, mut offsets: Vec<u64>) {
        let at = PartitionId(partition.into());
        offsets.retain(|offset| *offset < self.ends[partition as usize]);
        offsets.sort_unstable();
        offsets.dedup();
        let offsets: Vec<_> = offsets.into_iter().map(Offset).collect();
        let leases = &self.dispatcher.lanes[partition as usize].leases;
        let free = |offset: &&Offset| {
            !leases.contains_key(offset) && !self.settled.contains(&(at, **offset))
        };
        let expected: Vec<_> = offsets.iter().filter(free).copied().collect();
        let before = self.dispatcher.counts().leased;
        assert_eq!(self.dispatcher.expire(at, &offsets), expected.len() as u64);
        assert_eq!(self.dispatcher.counts().leased, before, "leases stay");
        self.settled
            .extend(expected.into_iter().map(|offset| (at, offset)));
    }

    fn purge(&mut self) {
        let before = self.dispatcher.counts();
        assert_eq!(self.dispatcher.purge(), before.ready);
        for (index, lane) in self.dispatcher.lanes.iter().enumerate() {
            let partition = partition_id(index);
            for offset in (0..self.ends[index]).map(Offset) {
                if lane.cursor.is_settled(offset) {
                    self.settled.insert((partition, offset));
                }
            }
        }
        assert_eq!(self.dispatcher.counts().ready, 0);
        assert_eq!(self.dispatcher.counts().leased, before.leased);
    }

    fn check(&self) {
        let mut total = 0;
        for (index, lane) in self.dispatcher.lanes.iter().enumerate() {
            total += self.ends[index];
            for offset in (0..self.ends[index]).map(Offset) {
                let at = (partition_id(index), offset);
                assert_eq!(lane.cursor.is_settled(offset), self.settled.contains(&at));
            }
        }
        let counts = self.dispatcher.counts();
        let known = counts.ready + counts.leased + counts.deferred + self.settled.len() as u64;
        assert_eq!(
            known, total,
            "every message is ready, leased, deferred or settled"
        );
    }

    /// Everything that is left can be had and acked.
    fn drain(&mut self) {
        self.now.0 += 1_000_000;
        self.dispatcher.tick(self.now);
        self.forget_ended();
        for owner in 0..4 {
            self.dispatcher.release_owner(OwnerId(owner));
        }
        self.held.clear();
        let _ = self.dispatcher.attach(consumer(9, usize::MAX / 2));
        loop {
            self.persist();
            let grants = self.dispatcher.poll(self.now, 100);
            if grants.is_empty() && self.dispatcher.changes.is_empty() {
                break;
            }
            self.granted(grants);
            while !self.held.is_empty() {
                self.settle(0, 0);
            }
        }
        let total: u64 = self.ends.iter().sum();
        assert_eq!(self.settled.len() as u64, total, "a message was lost");
        for (lane, end) in self.dispatcher.lanes.iter().zip(self.ends) {
            assert_eq!(lane.cursor.floor(), Offset(end));
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

fn offsets(grants: &[Grant]) -> Vec<u64> {
    grants.iter().map(|grant| grant.receipt.offset.0).collect()
}

fn ready(count: u64) -> Dispatcher {
    let mut dispatcher = Dispatcher::new([Cursor::starting_at(Offset(0))]);
    dispatcher.advance(PartitionId(0), Offset(count));
    dispatcher
}

#[test]
fn consumers_take_turns_message_by_message() {
    let mut dispatcher = ready(6);
    let a = dispatcher.attach(consumer(1, 10)).unwrap();
    let b = dispatcher.attach(consumer(2, 10)).unwrap();
    let grants = dispatcher.poll(Millis(0), 6);
    let turns: Vec<_> = grants.iter().map(|grant| grant.consumer.unwrap()).collect();
    assert_eq!(turns, [a, b, a, b, a, b]);
}

#[test]
fn a_released_message_comes_back_to_its_place_and_counts() {
    let mut dispatcher = ready(5);
    dispatcher.attach(consumer(1, 3)).unwrap();
    let grants = dispatcher.poll(Millis(0), 9);
    assert_eq!(offsets(&grants), [0, 1, 2]);
    assert!(dispatcher.settle(grants[1].receipt, Settle::Release { until: None }));
    let again = dispatcher.poll(Millis(0), 9);
    assert_eq!(offsets(&again), [1]);
    assert_eq!((again[0].attempts, again[0].redelivered), (1, true));
}

#[test]
fn an_unsent_message_comes_back_as_if_nothing_happened() {
    let mut dispatcher = ready(1);
    dispatcher.attach(consumer(1, 1)).unwrap();
    let grant = dispatcher.poll(Millis(0), 1)[0];
    dispatcher.settle(grant.receipt, Settle::Unsent);
    let again = dispatcher.poll(Millis(0), 1)[0];
    assert_eq!((again.attempts, again.redelivered), (0, false));
}

#[test]
fn nothing_beyond_the_persisted_horizon_is_delivered() {
    let mut dispatcher = ready(5000);
    dispatcher.attach(consumer(1, 9000)).unwrap();
    assert_eq!(dispatcher.poll(Millis(0), 9000).len() as u64, HORIZON_STEP);
    let horizons: Vec<_> = dispatcher.take_changes();
    let Some((_, Change::Horizon(horizon))) = horizons.last() else {
        panic!("a higher horizon is asked for: {horizons:?}");
    };
    dispatcher.reserved(PartitionId(0), *horizon);
    assert!(!dispatcher.poll(Millis(0), 9000).is_empty());
}

#[test]
fn a_higher_horizon_is_asked_for_half_a_step_before_it_is_reached() {
    let horizons = |dispatcher: &mut Dispatcher, budget: u64| {
        dispatcher.poll(Millis(0), usize::try_from(budget).unwrap());
        dispatcher.take_changes().len()
    };
    let mut dispatcher = ready(5000);
    dispatcher.attach(consumer(1, 9000)).unwrap();
    assert_eq!(horizons(&mut dispatcher, HORIZON_STEP / 2), 0);
    assert_eq!(horizons(&mut dispatcher, 1), 1);
}

#[test]
fn a_clean_stop_leaves_nothing_to_be_falsely_redelivered() {
    let mut dispatcher = ready(9);
    dispatcher.attach(consumer(1, 3)).unwrap();
    dispatcher.poll(Millis(0), 9);
    dispatcher.exact_horizons();
    let exact = dispatcher.take_changes();
    let horizon = Change::Horizon(Offset(3));
    assert_eq!(exact, [(PartitionId(0), horizon)]);
    let changes = Cursor::starting_at(Offset(0)).snapshot();
    let changes = changes
        .into_iter()
        .chain(exact.into_iter().map(|(_, change)| change));
    let cursor = Cursor::recover(changes, Offset(0), Offset(9));
    let told = [2, 3].map(|offset| cursor.redelivered(Offset(offset)));
    assert_eq!(told, [true, false]);
}

#[test]
fn the_next_tick_is_the_earliest_deadline_or_due_time() {
    let mut dispatcher = ready(2);
    assert_eq!(dispatcher.next_tick(), None);
    dispatcher.attach(consumer(1, 2)).unwrap();
    let held = dispatcher.poll(Millis(0), 1)[0].receipt;
    dispatcher.poll(Millis(10), 1);
    assert_eq!(dispatcher.next_tick(), Some(Millis(50)));
    let until = Some(Millis(55));
    dispatcher.settle(held, Settle::Release { until });
    assert_eq!(dispatcher.next_tick(), until);
    dispatcher.tick(Millis(55));
    assert_eq!(dispatcher.next_tick(), Some(Millis(60)));
}

#[test]
fn an_exclusive_consumer_is_alone() {
    let mut dispatcher = ready(0);
    let exclusive = ConsumerSpec {
        exclusive: true,
        ..consumer(1, 1)
    };
    let first = dispatcher.attach(exclusive.clone()).unwrap();
    assert!(dispatcher.attach(consumer(2, 1)).is_err());
    dispatcher.cancel(first);
    dispatcher.attach(consumer(2, 1)).unwrap();
    assert!(dispatcher.attach(exclusive).is_err());
}

#[test]
fn adjacent_acks_become_one_change() {
    let mut dispatcher = ready(3);
    dispatcher.attach(consumer(1, 3)).unwrap();
    for grant in dispatcher.poll(Millis(0), 3) {
        dispatcher.settle(grant.receipt, Settle::Done);
    }
    let changes = dispatcher.take_changes();
    assert_eq!(
        changes,
        [(PartitionId(0), Change::Settle(Offset(0)..Offset(3)))]
    );
}
