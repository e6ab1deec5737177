//! Whether offsets may be committed.

use super::*;

#[test]
fn commits_are_allowed_while_joins_are_awaited_and_not_while_assignments_are() {
    let mut client = client();
    let (one, two) = pair(&mut client);
    let now = client.now;
    let commit = |client: &mut Client, id: &str, generation| {
        client
            .coordinator
            .check_commit(&member(id, generation), now)
    };
    assert_eq!(commit(&mut client, &two, 2), Ok(()));
    assert_eq!(
        commit(&mut client, &two, 1),
        Err(Refusal::IllegalGeneration)
    );
    assert_eq!(commit(&mut client, "", -1), Err(Refusal::UnknownMember));
    client.join(join_of(&one));
    assert_eq!(commit(&mut client, &two, 2), Ok(()));
    client.join(join_of(&two));
    assert_eq!(
        commit(&mut client, &two, 3),
        Err(Refusal::RebalanceInProgress)
    );
}

#[test]
fn a_commit_from_outside_makes_an_empty_group_known() {
    let mut client = client();
    let outside = member("", -1);
    assert_eq!(
        client.coordinator.check_commit(&outside, client.now),
        Ok(())
    );
    assert_eq!(client.coordinator.list().len(), 1);
    assert_eq!(state(&client), Some(State::Empty));
    let inside = client.coordinator.check_commit(&member("m", 3), client.now);
    assert_eq!(inside, Err(Refusal::UnknownMember));
    assert_eq!(client.coordinator.delete("g"), Ok(()));
    assert_eq!(client.coordinator.delete("g"), Err(Refusal::GroupNotFound));
}

#[test]
fn a_commit_is_from_outside_without_a_generation_whatever_its_client_calls_itself() {
    let mut client = Client::new(Options {
        groups: 1,
        ..Options::default()
    });
    let commit = |client: &mut Client, id: &str, generation| {
        let who = member(id, generation);
        client.coordinator.check_commit(&who, client.now)
    };
    for generation in [0, 3] {
        let refused = commit(&mut client, "", generation);
        assert_eq!(refused, Err(Refusal::IllegalGeneration));
        assert_eq!(state(&client), None);
        client.coordinator.remember(&"g".into(), client.now);
        let refused = commit(&mut client, "", generation);
        assert_eq!(refused, Err(Refusal::UnknownMember));
        assert_eq!(client.coordinator.delete("g"), Ok(()));
    }
    for id in ["", "m"] {
        assert_eq!(commit(&mut client, id, -1), Ok(()), "new to it");
        assert_eq!(commit(&mut client, id, -1), Ok(()), "empty");
        assert_eq!(client.coordinator.delete("g"), Ok(()));
    }
    let mut client = self::client();
    let (one, _) = pair(&mut client);
    let refused = commit(&mut client, &one, -1);
    assert_eq!(refused, Err(Refusal::IllegalGeneration), "it has members");
}

#[test]
fn commits_from_outside_make_no_more_groups_known_than_may_be() {
    let mut client = Client::new(Options {
        groups: 1,
        ..Options::default()
    });
    client.joined(join_of(""));
    client.coordinator.remember(&"h".into(), client.now);
    let results = ["h", "i", ""].map(|group| commit_outside(&mut client, group));
    let full = Err(Refusal::TooManyGroups);
    assert_eq!(results, [Ok(()), full.clone(), full]);
}

/// Kafka takes them for clients of old that have no name of a group and commit.
#[test]
fn offsets_are_committed_under_the_empty_name_from_outside_alone() {
    let mut client = client();
    assert_eq!(commit_outside(&mut client, ""), Ok(()));
    assert_eq!(client.coordinator.list().len(), 1);
    let inside = Membership {
        group: "".into(),
        ..member("m", 1)
    };
    let refused = client.coordinator.check_commit(&inside, client.now);
    assert_eq!(refused, Err(Refusal::UnknownMember));
    assert_eq!(client.coordinator.delete(""), Ok(()));
}

#[test]
fn at_the_limit_the_longest_empty_group_without_offsets_goes_for_a_new_one() {
    let mut client = Client::new(Options {
        groups: 2,
        ..Options::default()
    });
    client.coordinator.remember(&"kept".into(), client.now);
    for group in ["b", "a"] {
        assert_eq!(commit_outside(&mut client, group), Ok(()));
        client.pass(SECOND);
    }
    client.joined(join_of(""));
    let listed = client.coordinator.list().into_iter();
    let names: Vec<_> = listed.map(|listing| listing.group.to_string()).collect();
    assert_eq!(names, ["a", "g", "kept"]);
    assert_eq!(client.coordinator.take_forgotten(), [Arc::<str>::from("b")]);
    client.coordinator.remember(&"a".into(), client.now);
    let named = |group: &str| Join {
        group: group.into(),
        ..join_of("")
    };
    client.joined(named("c"));
    let caller = client.join(named("d"));
    assert_eq!(client.joins[&caller], Err(Refusal::TooManyGroups));
    assert!(client.coordinator.take_forgotten().is_empty());
}

fn commit_outside(client: &mut Client, group: &str) -> Result<(), Refusal> {
    let who = Membership {
        group: group.into(),
        ..member("", -1)
    };
    client.coordinator.check_commit(&who, client.now)
}

#[test]
fn a_commit_from_outside_begins_the_retention_anew() {
    let mut client = Client::new(Options {
        empty_retention: 5 * SECOND,
        ..Options::default()
    });
    client.coordinator.remember(&"g".into(), client.now);
    for _ in 0..3 {
        let outside = member("", -1);
        let allowed = client.coordinator.check_commit(&outside, client.now);
        assert_eq!(allowed, Ok(()));
        client.pass(4 * SECOND);
        assert_eq!(state(&client), Some(State::Empty));
    }
    client.pass(SECOND);
    assert_eq!(client.news, [Effect::Expired { group: "g".into() }]);
    assert_eq!(state(&client), None);
}

#[test]
fn a_commit_is_a_sign_of_life() {
    let mut client = client();
    let (one, two) = pair(&mut client);
    client.pass(SESSION / 2);
    let who = member(&two, 2);
    assert_eq!(client.coordinator.check_commit(&who, client.now), Ok(()));
    client.pass(SESSION / 2);
    assert_eq!(client.heartbeat(&one, 2), Err(Refusal::UnknownMember));
    assert_eq!(client.heartbeat(&two, 2), Err(Refusal::RebalanceInProgress));
}

#[test]
fn a_group_with_members_is_not_deleted_and_is_listed() {
    let mut client = client();
    pair(&mut client);
    assert_eq!(client.coordinator.delete("g"), Err(Refusal::NonEmptyGroup));
    let listing = Listing {
        group: "g".into(),
        protocol_type: "consumer".into(),
        state: State::Stable,
    };
    assert_eq!(client.coordinator.list(), [listing]);
}
