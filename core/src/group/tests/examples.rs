//! Examples, each of one rule.

use std::time::Duration;

use super::{
    Client,
    client::{REBALANCE, SESSION, join_of, member, static_join},
};
use crate::group::{Effect, Join, Leaver, Options, Refusal, State};

const SECOND: Duration = Duration::from_secs(1);

fn client() -> Client {
    Client::new(Options::default())
}

fn state(client: &Client) -> Option<State> {
    client.coordinator.describe("g").map(|group| group.state)
}

/// A stable group of two: (leader, follower), in generation 2.
fn pair(client: &mut Client) -> (String, String) {
    let first = client.joined(join_of(""));
    let one = first.member_id.to_string();
    let second = client.join(join_of(""));
    client.join(join_of(&one));
    let two = client.joins[&second].clone().unwrap().member_id.to_string();
    client.sync(member(&two, 2), &[]);
    client.sync(member(&one, 2), &[(&one, "A"), (&two, "B")]);
    assert_eq!(state(client), Some(State::Stable));
    (one, two)
}

#[test]
fn a_lone_member_leads_generation_one_at_once() {
    let mut client = client();
    let joined = client.joined(join_of(""));
    assert_eq!((joined.generation, &joined.leader), (1, &joined.member_id));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(&*joined.protocol, "range");
    let sync = client.sync(member(&joined.member_id, 1), &[(&joined.member_id, "all")]);
    assert_eq!(&*client.syncs[&sync].as_ref().unwrap().assignment, b"all");
    assert_eq!(state(&client), Some(State::Stable));
}

#[test]
fn a_first_join_is_sent_back_with_the_member_id_to_use() {
    let mut client = client();
    let asking = Join {
        asks_for_member_id: true,
        ..join_of("")
    };
    let caller = client.join(asking.clone());
    let Err(Refusal::MemberIdRequired(id)) = client.joins[&caller].clone() else {
        panic!("an id is required");
    };
    assert!(id.starts_with("client-"));
    let joined = client.joined(Join {
        member_id: id.clone(),
        ..asking
    });
    assert_eq!(joined.member_id, id);
}

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
fn a_second_member_makes_the_first_join_again_and_both_get_their_share() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    client.sync(member(&one, 1), &[(&one, "all")]);
    let two = client.join(join_of(""));
    assert!(!client.joins.contains_key(&two), "it waits for the first");
    assert_eq!(client.heartbeat(&one, 1), Err(Refusal::RebalanceInProgress));
    let again = client.joined(join_of(&one));
    let two = client.joins[&two].clone().unwrap();
    assert_eq!((again.generation, two.generation), (2, 2));
    assert_eq!((again.members.len(), two.members.len()), (2, 0));
    assert_eq!(two.leader, one);
    let waiting = client.sync(member(&two.member_id, 2), &[]);
    assert!(
        !client.syncs.contains_key(&waiting),
        "it waits for the leader"
    );
    let lead = client.sync(member(&one, 2), &[(&one, "A"), (&two.member_id, "B")]);
    assert_eq!(&*client.syncs[&lead].as_ref().unwrap().assignment, b"A");
    assert_eq!(&*client.syncs[&waiting].as_ref().unwrap().assignment, b"B");
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
fn leaving_rebalances_and_the_last_one_empties_the_group() {
    let mut client = client();
    let (one, two) = pair(&mut client);
    assert_eq!(client.leave(&one), Ok(()));
    assert_eq!(client.leave(&one), Err(Refusal::UnknownMember));
    let joined = client.joined(join_of(&two));
    assert_eq!(joined.leader.as_ref(), two);
    assert_eq!(client.leave(&two), Ok(()));
    assert_eq!(state(&client), Some(State::Empty));
    assert_eq!(client.news, [Effect::Emptied { group: "g".into() }]);
}

#[test]
fn a_group_without_members_expires_after_its_retention() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
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
fn a_wrong_generation_or_member_is_told_apart() {
    let mut client = client();
    let (one, _) = pair(&mut client);
    assert_eq!(client.heartbeat(&one, 1), Err(Refusal::IllegalGeneration));
    assert_eq!(client.heartbeat("nobody", 2), Err(Refusal::UnknownMember));
    let sync = client.sync(member(&one, 1), &[]);
    assert_eq!(client.syncs[&sync], Err(Refusal::IllegalGeneration));
    let join = client.join(join_of("nobody"));
    assert_eq!(client.joins[&join], Err(Refusal::UnknownMember));
}

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
fn a_follower_that_asks_again_is_answered_and_a_leader_that_asks_again_rebalances() {
    let mut client = client();
    let (one, two) = pair(&mut client);
    let asked = join_of("");
    let again = Join {
        member_id: two.as_str().into(),
        ..asked
    };
    assert_eq!(client.joined(again).generation, 2);
    client.join(join_of(&one));
    assert_eq!(state(&client), Some(State::PreparingRebalance));
}

#[test]
fn protocols_that_nobody_shares_are_inconsistent() {
    let mut client = client();
    pair(&mut client);
    let mut other = join_of("");
    other.protocols.truncate(1);
    other.protocols[0].name = "other".into();
    let caller = client.join(other.clone());
    assert_eq!(client.joins[&caller], Err(Refusal::InconsistentProtocol));
    let mut connect = join_of("");
    connect.protocol_type = "connect".into();
    let caller = client.join(connect);
    assert_eq!(client.joins[&caller], Err(Refusal::InconsistentProtocol));
    other.protocols.clear();
    other.group = "h".into();
    let caller = client.join(other);
    assert_eq!(client.joins[&caller], Err(Refusal::InconsistentProtocol));
    assert!(client.coordinator.describe("h").is_none());
}

#[test]
fn the_protocol_with_most_votes_among_the_common_ones_is_chosen() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    let mut reversed = join_of("");
    reversed.protocols.reverse();
    client.join(reversed.clone());
    client.join(reversed);
    assert_eq!(&*client.joined(join_of(&one)).protocol, "sticky");
}

#[test]
fn limits_hold_for_timeouts_members_groups_and_octets() {
    let mut client = Client::new(Options {
        members: 2,
        groups: 1,
        member_bytes: 400,
        ..Options::default()
    });
    pair(&mut client);
    let mut changes: Vec<(Join, Refusal)> = vec![
        (join_of(""), Refusal::GroupFull),
        (join_of(""), Refusal::TooManyGroups),
        (join_of(""), Refusal::InvalidGroupId),
        (join_of(""), Refusal::InvalidSessionTimeout),
        (join_of(""), Refusal::TooLarge),
    ];
    changes[1].0.group = "h".into();
    changes[2].0.group = "".into();
    changes[3].0.session_timeout = SECOND;
    changes[4].0.protocols[0].metadata = vec![0; 401].into();
    for (join, refusal) in changes {
        let caller = client.join(join);
        assert_eq!(client.joins[&caller], Err(refusal));
    }
}

#[test]
fn a_group_name_may_be_as_long_as_the_limit_and_no_longer() {
    let name_bytes = 5;
    let mut client = Client::new(Options {
        name_bytes,
        ..Options::default()
    });
    for length in [name_bytes, name_bytes + 1, name_bytes + 2] {
        let join = Join {
            group: "g".repeat(length).into(),
            client_id: "c".into(),
            client_host: "h".into(),
            protocol_type: "p".into(),
            protocols: vec![join_of("").protocols[0].clone()],
            ..join_of("")
        };
        let caller = client.join(join);
        let refused = client.joins[&caller].clone().err();
        let expected = (length > name_bytes).then_some(Refusal::InvalidGroupId);
        assert_eq!(refused, expected, "{length}");
    }
}

#[test]
fn an_assignment_may_be_as_large_as_the_limit_and_no_larger() {
    let member_bytes = 400;
    let mut client = Client::new(Options {
        member_bytes,
        ..Options::default()
    });
    let one = client.joined(join_of("")).member_id;
    let larger = client.sync(member(&one, 1), &[(&one, &"a".repeat(member_bytes + 1))]);
    assert_eq!(client.syncs[&larger], Err(Refusal::TooLarge));
    let largest = client.sync(member(&one, 1), &[(&one, &"a".repeat(member_bytes))]);
    let assigned = client.syncs[&largest].as_ref().unwrap();
    assert_eq!(assigned.assignment.len(), member_bytes);
}

#[test]
fn states_have_the_names_that_tools_of_kafka_show() {
    use State::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
    let states = [Empty, PreparingRebalance, CompletingRebalance, Stable, Dead];
    let names = [
        "Empty",
        "PreparingRebalance",
        "CompletingRebalance",
        "Stable",
        "Dead",
    ];
    assert_eq!(states.map(|state| state.to_string()), names);
}

#[test]
fn a_stable_group_is_described_with_what_its_members_said_and_got() {
    let mut client = client();
    let (one, two) = pair(&mut client);
    let described = client.coordinator.describe("g").unwrap();
    assert_eq!((&*described.protocol, described.generation), ("range", 2));
    let shown = |id: &str| {
        let members = &described.members;
        let member = members.iter().find(|m| *m.member_id == *id).unwrap();
        (member.metadata.clone(), member.assignment.clone())
    };
    let metadata = |of: &str| bytes::Bytes::from(format!("range of {of}"));
    assert_eq!(shown(&one), (metadata(&one), "A".into()));
    assert_eq!(shown(&two), (metadata(""), "B".into()));
    client.join(join_of(&one));
    let described = client.coordinator.describe("g").unwrap();
    assert_eq!(&*described.protocol, "");
    assert!(described.members.iter().all(|m| m.metadata.is_empty()));
}

#[test]
fn a_static_follower_that_comes_back_is_not_asked_to_skip_an_assignment() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    let second = client.join(static_join("", "i2"));
    client.join(join_of(&one));
    let two = client.joins[&second].clone().unwrap().member_id;
    client.sync(member(&two, 2), &[]);
    client.sync(member(&one, 2), &[(&one, "A"), (&two, "B")]);
    let back = client.joined(static_join("", "i2"));
    assert_eq!((back.skip_assignment, &back.leader), (false, &one));
}

#[test]
fn a_static_member_that_comes_back_keeps_its_assignment_without_a_rebalance() {
    let mut client = client();
    let one = client.joined(static_join("", "i1")).member_id;
    client.sync(member(&one, 1), &[(&one, "mine")]);
    let back = client.joined(static_join("", "i1"));
    assert_ne!(back.member_id, one);
    assert!(back.skip_assignment);
    assert_eq!((back.generation, &back.leader), (1, &back.member_id));
    let sync = client.sync(member(&back.member_id, 1), &[]);
    assert_eq!(&*client.syncs[&sync].as_ref().unwrap().assignment, b"mine");
    let mut former = member(&one, 1);
    former.instance_id = Some("i1".into());
    let fenced = client.coordinator.heartbeat(&former, client.now);
    assert_eq!(fenced, Err(Refusal::FencedInstance));
}

#[test]
fn an_old_static_leader_that_comes_back_does_not_learn_that_it_leads() {
    let mut client = client();
    let one = client.joined(static_join("", "i1")).member_id;
    client.sync(member(&one, 1), &[(&one, "mine")]);
    let back = client.joined(Join {
        skips_assignment: false,
        ..static_join("", "i1")
    });
    assert_eq!(back.leader, one);
    assert!(back.members.is_empty());
}

#[test]
fn a_static_member_is_removed_by_its_instance_id() {
    let mut client = client();
    client.joined(static_join("", "i1"));
    let leaver = Leaver {
        member_id: "".into(),
        instance_id: Some("i1".into()),
    };
    let mut effects = Vec::new();
    let group = "g".into();
    let left =
        client
            .coordinator
            .leave(&group, &[leaver.clone(), leaver], client.now, &mut effects);
    assert_eq!(left, [Ok(()), Err(Refusal::UnknownMember)]);
    assert_eq!(state(&client), Some(State::Empty));
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
fn a_request_sent_again_while_it_waits_ends_the_earlier_one() {
    let mut client = client();
    let (one, _) = pair(&mut client);
    let first = client.join(join_of(&one));
    let second = client.join(join_of(&one));
    assert_eq!(client.joins[&first], Err(Refusal::RebalanceInProgress));
    assert!(!client.joins.contains_key(&second));
}
