//! Examples, each of one rule.

use super::*;

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
    assert_ne!(a, b);
    assert_eq!(turns, [a, b, a, b, a, b]);
}

#[test]
fn partitions_take_turns_message_by_message() {
    let mut dispatcher = Dispatcher::new((0..3).map(|_| Cursor::starting_at(Offset(0))));
    for partition in (0..3).map(PartitionId) {
        dispatcher.advance(partition, Offset(2));
    }
    dispatcher.attach(consumer(1, 9)).unwrap();
    let grants = dispatcher.poll(Millis(0), 9);
    let turns: Vec<_> = grants
        .iter()
        .map(|grant| grant.receipt.partition.0)
        .collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_partition_that_is_added_is_served_and_one_that_is_not_there_is_nothing() {
    let mut dispatcher = ready(0);
    dispatcher.add_partition(Cursor::starting_at(Offset(0)));
    let (added, absent) = (PartitionId(1), PartitionId(2));
    for partition in [added, absent] {
        dispatcher.advance(partition, Offset(1));
        dispatcher.seek(absent, Offset(1));
        dispatcher.vanish(absent, Offset(0)..Offset(1));
        assert_eq!(dispatcher.expire(absent, &[Offset(0)]), 0);
    }
    assert_eq!(dispatcher.take_changes(), []);
    let receipt = dispatcher.get(OwnerId(1)).unwrap().receipt;
    assert_eq!((receipt.partition, receipt.offset), (added, Offset(0)));
    let elsewhere = Receipt {
        partition: absent,
        ..receipt
    };
    assert!(!dispatcher.settle(elsewhere, Settle::Done));
    assert!(dispatcher.settle(receipt, Settle::Done));
}

#[test]
fn something_is_ready_until_it_is_leased() {
    let mut dispatcher = ready(1);
    assert!(dispatcher.has_ready());
    dispatcher.get(OwnerId(1)).unwrap();
    assert!(!dispatcher.has_ready());
    assert_eq!(dispatcher.get(OwnerId(1)), None);
}

#[test]
fn a_clients_own_commit_moves_the_cursor_and_is_for_the_caller_to_persist() {
    let mut dispatcher = ready(9);
    dispatcher.mark(PartitionId(0), &[Change::Seek(Offset(4))]);
    let cursor = dispatcher.cursor(PartitionId(0)).unwrap();
    assert_eq!(cursor.floor(), Offset(4));
    dispatcher.unmark(PartitionId(0));
    let cursor = dispatcher.cursor(PartitionId(0)).unwrap();
    assert_eq!(cursor.floor(), Offset(0), "as if nobody had committed");
    assert_eq!(dispatcher.take_changes(), []);
}

#[test]
fn what_is_leased_is_told_within_a_range() {
    let mut dispatcher = ready(5);
    for _ in 0..4 {
        dispatcher.get(OwnerId(1)).unwrap();
    }
    let leased = |from, to| dispatcher.leased_in(PartitionId(0), &(Offset(from)..Offset(to)));
    assert_eq!(leased(1, 3), [Offset(1), Offset(2)]);
    assert_eq!(leased(3, 9), [Offset(3)], "the fifth is ready");
    assert_eq!(
        dispatcher.leased_in(PartitionId(1), &(Offset(0)..Offset(9))),
        []
    );
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
fn what_rests_is_ready_and_out_of_turn_and_nothing_of_it_is_kept() {
    let mut dispatcher = ready(3);
    let held = dispatcher.get(OwnerId(1)).unwrap().receipt;
    let until = Millis(9);
    assert!(dispatcher.settle(held, Settle::Rest { until }));
    assert_eq!(dispatcher.counts().ready, 3);
    assert_eq!(dispatcher.take_changes(), []);
    assert_eq!(dispatcher.next_tick(), Some(until));
    let next = dispatcher.get(OwnerId(1)).unwrap();
    assert_eq!(next.receipt.offset, Offset(1));
    dispatcher.tick(Millis(8));
    dispatcher.settle(next.receipt, Settle::Unsent);
    assert_eq!(
        dispatcher.get(OwnerId(1)).unwrap().receipt.offset,
        Offset(1)
    );
    dispatcher.tick(until);
    let rested = dispatcher.get(OwnerId(1)).unwrap();
    assert_eq!((rested.receipt.offset, rested.attempts), (Offset(0), 0));
    dispatcher.settle(rested.receipt, Settle::Rest { until: Millis(20) });
    assert_eq!(dispatcher.purge(), 2, "what rests is purged too");
}

#[test]
fn what_expires_on_lease_is_settled_when_it_comes_back() {
    let at = PartitionId(0);
    for (ends, late) in [
        (Settle::Release { until: None }, 1),
        (
            Settle::Release {
                until: Some(Millis(9)),
            },
            1,
        ),
        (Settle::Unsent, 1),
        (Settle::Rest { until: Millis(9) }, 1),
        (Settle::Done, 0),
    ] {
        let mut dispatcher = ready(2);
        let held = dispatcher.get(OwnerId(1)).unwrap().receipt;
        assert_eq!(dispatcher.expire(at, &[Offset(0)]), 0);
        assert_eq!(dispatcher.counts().leased, 1, "its holder keeps it");
        assert!(dispatcher.settle(held, Settle::Extend { until: Millis(5) }));
        assert!(dispatcher.settle(held, ends));
        let counts = dispatcher.counts();
        assert_eq!((counts.ready, counts.leased, counts.deferred), (1, 0, 0));
        assert_eq!(dispatcher.expired_on_lease(), late);
        let settled = Change::Settle(Offset(0)..Offset(1));
        assert_eq!(dispatcher.take_changes(), [(at, settled)]);
    }
}

#[test]
fn what_expires_on_lease_is_settled_when_its_holder_is_gone_or_too_late() {
    let at = PartitionId(0);
    let mut dispatcher = ready(4);
    dispatcher.attach(consumer(1, 1)).unwrap();
    dispatcher.poll(Millis(0), 1);
    for _ in 0..2 {
        dispatcher.get(OwnerId(2)).unwrap();
    }
    dispatcher.expire(at, &[Offset(0), Offset(1)]);
    dispatcher.tick(Millis(50));
    assert_eq!(dispatcher.release_owner(OwnerId(2)), 2);
    assert_eq!(dispatcher.expired_on_lease(), 2);
    let cursor = dispatcher.cursor(at).unwrap();
    assert_eq!(cursor.floor(), Offset(2), "the third is ready again");
    assert_eq!(dispatcher.counts().ready, 2);
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
fn what_was_delivered_is_redelivered_after_any_number_of_clean_stops() {
    let mut dispatcher = ready(3);
    dispatcher.attach(consumer(1, 2)).unwrap();
    dispatcher.poll(Millis(0), 2);
    for _ in 0..2 {
        dispatcher.exact_horizons();
        let cursor = dispatcher.cursor(PartitionId(0)).unwrap();
        let recovered = Cursor::recover(cursor.snapshot(), Offset(0), Offset(3));
        dispatcher = Dispatcher::new([recovered]);
        dispatcher.advance(PartitionId(0), Offset(3));
    }
    dispatcher.reserved(PartitionId(0), Offset(3));
    dispatcher.attach(consumer(1, 3)).unwrap();
    let told = dispatcher.poll(Millis(0), 3).into_iter();
    let told: Vec<_> = told.map(|grant| grant.redelivered).collect();
    assert_eq!(told, [true, true, false]);
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
    let second = dispatcher.attach(consumer(2, 1)).unwrap_err();
    dispatcher.cancel(first);
    dispatcher.attach(consumer(2, 1)).unwrap();
    let late = dispatcher.attach(exclusive).unwrap_err();
    assert_eq!([second.kind(), late.kind()], [ErrorKind::Denied; 2]);
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

#[test]
fn acks_that_are_not_adjacent_or_of_other_partitions_are_changes_of_their_own() {
    let mut dispatcher = Dispatcher::new((0..2).map(|_| Cursor::starting_at(Offset(0))));
    dispatcher.advance(PartitionId(0), Offset(3));
    dispatcher.advance(PartitionId(1), Offset(1));
    let mut receipts: Vec<_> = (0..4)
        .filter_map(|_| dispatcher.get(OwnerId(1)))
        .map(|grant| grant.receipt)
        .collect();
    receipts.sort_unstable();
    let order = [2, 0, 3, 1].map(|at| receipts[at]);
    for receipt in order {
        dispatcher.settle(receipt, Settle::Done);
    }
    let own = |receipt: Receipt| {
        let range = receipt.offset..receipt.offset.next();
        (receipt.partition, Change::Settle(range))
    };
    assert_eq!(dispatcher.take_changes(), order.map(own));
}

#[test]
fn a_purge_is_one_change_however_its_messages_came_to_wait() {
    let mut dispatcher = ready(6);
    let receipts: Vec<_> = (0..3)
        .filter_map(|_| dispatcher.get(OwnerId(1)))
        .map(|grant| grant.receipt)
        .collect();
    for receipt in receipts {
        dispatcher.settle(receipt, Settle::Unsent);
    }
    assert_eq!(dispatcher.purge(), 6);
    let all = Change::Settle(Offset(0)..Offset(6));
    assert_eq!(dispatcher.take_changes(), [(PartitionId(0), all)]);
}
