//! Members with an instance id (KIP-345, KIP-814).

use super::*;

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
fn a_static_member_joins_without_being_sent_back_for_an_id() {
    let mut client = client();
    let joined = client.joined(Join {
        asks_for_member_id: true,
        ..static_join("", "i1")
    });
    assert_eq!(joined.generation, 1);
}

#[test]
fn a_static_member_that_comes_back_while_joins_are_awaited_waits_with_the_others() {
    let mut client = client();
    let one = client.joined(static_join("", "i1")).member_id;
    client.sync(member(&one, 1), &[(&one, "mine")]);
    let two = client.join(join_of(""));
    let back = client.join(static_join("", "i1"));
    let [back, two] = [back, two].map(|caller| client.joins[&caller].clone().unwrap());
    assert_eq!((back.generation, two.generation), (2, 2));
    assert_eq!((&back.leader, back.members.len()), (&back.member_id, 2));
    assert!(!back.skip_assignment);
}

#[test]
fn a_static_member_that_comes_back_before_the_assignment_begins_a_generation() {
    let mut client = client();
    client.joined(static_join("", "i1"));
    let back = client.joined(static_join("", "i1"));
    assert_eq!((back.generation, back.skip_assignment), (2, false));
}

#[test]
fn a_static_member_that_comes_back_with_other_protocols_begins_a_generation() {
    let mut client = client();
    let one = client.joined(static_join("", "i1")).member_id;
    client.sync(member(&one, 1), &[(&one, "mine")]);
    let mut other = static_join("", "i1");
    other.protocols.truncate(1);
    other.protocols[0].name = "other".into();
    let back = client.joined(other);
    assert_eq!((&*back.protocol, back.generation), ("other", 2));
}

#[test]
fn static_members_that_are_away_are_waited_for_until_their_session_ends() {
    let mut client = client();
    let long = |instance| Join {
        session_timeout: 3 * REBALANCE,
        ..static_join("", instance)
    };
    let one = client.joined(long("i1")).member_id;
    client.sync(member(&one, 1), &[]);
    let visitor = asked_id(&mut client);
    client.join(join_of(&visitor));
    client.leave(&visitor).unwrap();
    client.pass(REBALANCE + SECOND);
    assert_eq!(state(&client), Some(State::PreparingRebalance));
    assert_eq!(client.joined(long("i1")).generation, 2);
    client.pass(4 * REBALANCE);
    assert_eq!(state(&client), Some(State::Empty));
}

#[test]
fn a_static_member_is_known_by_its_id_together_with_its_own_instance_id() {
    let mut client = client();
    let one = client.joined(static_join("", "i1")).member_id;
    let as_instance = |instance: &str| Membership {
        instance_id: Some(instance.into()),
        ..member(&one, 1)
    };
    client.sync(as_instance("i1"), &[(&one, "mine")]);
    let heard = ["i1", "i2"].map(|instance| {
        let who = as_instance(instance);
        client.coordinator.heartbeat(&who, client.now)
    });
    assert_eq!(heard, [Ok(()), Err(Refusal::UnknownMember)]);
    assert_eq!(client.joined(static_join(&one, "i1")).generation, 2);
}
