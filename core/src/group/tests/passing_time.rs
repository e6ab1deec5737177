//! What happens when nobody says anything.

use super::*;

#[test]
fn a_member_id_not_used_in_time_is_forgotten_with_its_group() {
    let mut client = client();
    let caller = client.join(Join {
        asks_for_member_id: true,
        ..join_of("")
    });
    let Err(Refusal::MemberIdRequired(id)) = client.joins[&caller].clone() else {
        panic!("an id is required");
    };
    client.pass(SESSION);
    assert_eq!(state(&client), None);
    let caller = client.join(join_of(&id));
    assert_eq!(client.joins[&caller], Err(Refusal::UnknownMember));
}

#[test]
fn a_silent_member_is_taken_for_gone_and_a_heartbeat_keeps_one() {
    let mut client = client();
    let (one, two) = pair(&mut client);
    client.pass(SESSION / 2);
    assert_eq!(client.heartbeat(&one, 2), Ok(()));
    client.pass(SESSION / 2);
    assert_eq!(client.heartbeat(&two, 2), Err(Refusal::UnknownMember));
    assert_eq!(client.heartbeat(&one, 2), Err(Refusal::RebalanceInProgress));
    assert_eq!(client.joined(join_of(&one)).generation, 3);
}

#[test]
fn a_member_that_does_not_join_again_in_time_is_left_behind() {
    let mut client = client();
    let (one, two) = pair(&mut client);
    let caller = client.join(join_of(&one));
    for _ in 0..REBALANCE.as_secs() {
        assert!(!client.joins.contains_key(&caller));
        let _ = client.heartbeat(&two, 2);
        client.pass(SECOND);
    }
    let joined = client.joins[&caller].clone().unwrap();
    assert_eq!((joined.generation, joined.members.len()), (3, 1));
    assert_eq!(client.heartbeat(&two, 3), Err(Refusal::UnknownMember));
}

#[test]
fn a_leader_that_never_assigns_is_left_behind() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    let second = client.join(join_of(""));
    client.join(join_of(&one));
    let two = client.joins[&second].clone().unwrap().member_id;
    let waiting = client.sync(member(&two, 2), &[]);
    for _ in 0..REBALANCE.as_secs() {
        let _ = client.heartbeat(&one, 2);
        client.pass(SECOND);
    }
    assert_eq!(client.syncs[&waiting], Err(Refusal::RebalanceInProgress));
    let joined = client.joined(join_of(&two));
    assert_eq!((joined.leader, joined.generation), (two, 3));
}

#[test]
fn a_group_without_members_expires_after_its_retention() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    client.coordinator.remember(&"g".into(), client.now);
    client.leave(&one).unwrap();
    let retention = Options::default().empty_retention;
    client.pass(retention - SECOND);
    assert_eq!(state(&client), Some(State::Empty));
    client.pass(SECOND);
    assert_eq!(state(&client), None);
    assert_eq!(
        client.news.last(),
        Some(&Effect::Expired { group: "g".into() })
    );
}

#[test]
fn a_group_that_is_not_known_to_have_offsets_is_forgotten_within_minutes() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    client.leave(&one).unwrap();
    let outside = Membership {
        group: "h".into(),
        ..member("", -1)
    };
    let allowed = client.coordinator.check_commit(&outside, client.now);
    assert_eq!(allowed, Ok(()));
    let retention = Options::default().uncommitted_retention;
    client.pass(retention - SECOND);
    assert_eq!(client.coordinator.list().len(), 2);
    client.pass(SECOND);
    assert!(client.coordinator.list().is_empty());
    let forgotten = client.coordinator.take_forgotten();
    assert_eq!(forgotten, ["g", "h"].map(Arc::<str>::from));
    let emptied = Effect::Emptied { group: "g".into() };
    assert_eq!(client.news, [emptied], "there is nothing to delete");
}

#[test]
fn an_initial_delay_gathers_members_into_one_generation() {
    let mut client = Client::new(Options {
        initial_rebalance_delay: 3 * SECOND,
        ..Options::default()
    });
    let one = client.join(join_of(""));
    client.pass(2 * SECOND);
    let two = client.join(join_of(""));
    client.pass(2 * SECOND);
    assert!(
        !client.joins.contains_key(&one),
        "the second one prolonged the wait"
    );
    client.pass(2 * SECOND);
    let generation = |caller| client.joins[caller].as_ref().unwrap().generation;
    assert_eq!((generation(&one), generation(&two)), (1, 1));
}

#[test]
fn a_new_member_whose_join_nobody_answers_is_dropped_after_a_time_of_its_own() {
    let wait = 20 * SECOND;
    let mut client = Client::new(Options {
        new_member_timeout: wait,
        ..Options::default()
    });
    let (one, two) = pair(&mut client);
    let third = client.join(join_of(""));
    let early = client.join(join_of(&one));
    let keep = |client: &mut Client, time| {
        client.pass(time);
        let _ = client.heartbeat(&two, 2);
    };
    (0..19).for_each(|_| keep(&mut client, SECOND));
    assert!(!client.joins.contains_key(&third));
    keep(&mut client, SECOND);
    assert_eq!(client.joins[&third], Err(Refusal::UnknownMember));
    assert!(!client.joins.contains_key(&early), "its silence is ours");
}

#[test]
fn a_rebalance_waits_for_an_id_that_was_handed_out_until_it_lapses_or_leaves() {
    for leaves in [true, false] {
        let mut client = client();
        let brief = |id: &str| Join {
            session_timeout: 6 * SECOND,
            ..join_of(id)
        };
        let one = client.joined(brief("")).member_id;
        client.sync(member(&one, 1), &[]);
        let asked = asked_id(&mut client);
        let again = client.join(brief(&one));
        assert!(!client.joins.contains_key(&again), "it waits");
        if leaves {
            client.leave(&asked).unwrap();
        } else {
            client.pass(SESSION - SECOND);
            assert!(!client.joins.contains_key(&again), "it still waits");
            client.pass(SECOND);
        }
        let joined = client.joins[&again].as_ref().unwrap();
        assert_eq!((joined.generation, joined.members.len()), (2, 1));
    }
}

#[test]
fn an_id_that_lapses_or_leaves_unused_disturbs_nobody() {
    for leaves in [true, false] {
        let mut client = client();
        let (one, two) = pair(&mut client);
        client.pass(SESSION / 2);
        let asked = asked_id(&mut client);
        if leaves {
            client.leave(&asked).unwrap();
        }
        for _ in 0..3 {
            let _ = [&one, &two].map(|id| client.heartbeat(id, 2));
            client.pass(SESSION / 2);
        }
        assert_eq!(state(&client), Some(State::Stable));
        let late = client.join(join_of(&asked));
        assert_eq!(client.joins[&late], Err(Refusal::UnknownMember));
    }
}

#[test]
fn members_may_take_as_long_to_sync_as_to_join() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    for _ in 1..REBALANCE.as_secs() {
        client.pass(SECOND);
        assert_eq!(client.heartbeat(&one, 1), Ok(()));
    }
    client.pass(SECOND);
    assert_eq!(client.heartbeat(&one, 1), Err(Refusal::UnknownMember));
}

#[test]
fn a_group_is_kept_while_it_has_members_or_an_id_is_out() {
    let mut client = Client::new(Options {
        empty_retention: 5 * SECOND,
        ..Options::default()
    });
    let (one, two) = pair(&mut client);
    for _ in 0..10 {
        client.pass(SECOND);
        assert_eq!(
            [&one, &two].map(|id| client.heartbeat(id, 2)),
            [Ok(()), Ok(())]
        );
    }
    for id in [&one, &two] {
        client.leave(id).unwrap();
    }
    asked_id(&mut client);
    client.pass(SESSION - SECOND);
    assert_eq!(state(&client), Some(State::Empty));
    client.pass(SECOND);
    assert_eq!(state(&client), None);
}

#[test]
fn a_group_of_an_earlier_life_expires_after_its_retention_too() {
    let mut client = client();
    client.coordinator.remember(&"g".into(), client.now);
    assert_eq!(state(&client), Some(State::Empty));
    client.pass(Options::default().empty_retention);
    assert_eq!(client.news, [Effect::Expired { group: "g".into() }]);
    assert_eq!(client.coordinator.next_deadline(), None);
}

#[test]
fn an_initial_delay_ends_with_the_rebalance_timeout_however_many_come() {
    let mut client = Client::new(Options {
        initial_rebalance_delay: 3 * SECOND,
        ..Options::default()
    });
    let first = client.join(join_of(""));
    for _ in 0..REBALANCE.as_secs() / 2 {
        assert!(!client.joins.contains_key(&first));
        client.join(join_of(""));
        client.pass(2 * SECOND);
    }
    let joined = client.joins[&first].as_ref().unwrap();
    assert_eq!((joined.generation, joined.members.len()), (1, 31));
}

#[test]
fn an_initial_delay_is_for_groups_without_members_alone() {
    let mut client = Client::new(Options {
        initial_rebalance_delay: 3 * SECOND,
        ..Options::default()
    });
    let first = client.join(join_of(""));
    client.pass(3 * SECOND);
    let one = client.joins[&first].clone().unwrap().member_id;
    let second = client.join(join_of(""));
    assert_eq!(client.joined(join_of(&one)).generation, 2);
    assert_eq!(client.joins[&second].as_ref().unwrap().generation, 2);
}
