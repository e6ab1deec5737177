//! What a coordinator refuses for being too much.

use bytes::Bytes;

use super::*;
use crate::group::Protocol;

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
fn groups_that_are_remembered_for_their_offsets_alone_take_no_room() {
    let mut client = Client::new(Options {
        groups: 1,
        ..Options::default()
    });
    for stored in ["a", "b"] {
        client.coordinator.remember(&stored.into(), client.now);
    }
    let one = client.joined(join_of("")).member_id;
    let refused = client.join(Join {
        group: "a".into(),
        ..join_of("")
    });
    let full = Err(Refusal::TooManyGroups);
    assert_eq!(client.joins[&refused], full, "it would have members");
    client.coordinator.remember(&"g".into(), client.now);
    client.leave(&one).unwrap();
    client.joined(Join {
        group: "a".into(),
        ..join_of("")
    });
    let again = client.join(join_of(""));
    assert_eq!(client.joins[&again], Err(Refusal::TooManyGroups));
}

#[test]
fn an_id_that_was_handed_out_makes_its_group_count() {
    let mut client = Client::new(Options {
        groups: 1,
        ..Options::default()
    });
    client.coordinator.remember(&"g".into(), client.now);
    asked_id(&mut client);
    let other = Join {
        group: "h".into(),
        ..join_of("")
    };
    let refused = client.join(other.clone());
    assert_eq!(client.joins[&refused], Err(Refusal::TooManyGroups));
    client.pass(SESSION);
    client.joined(other);
}

#[test]
fn a_member_supports_as_many_protocols_as_the_limit_and_no_more() {
    let limit = Options::default().protocols;
    let mut client = client();
    let named = |count: usize| Join {
        protocols: (0..count)
            .map(|number| Protocol {
                name: number.to_string().into(),
                metadata: Bytes::new(),
            })
            .collect(),
        ..join_of("")
    };
    let larger = client.join(named(limit + 1));
    assert_eq!(client.joins[&larger], Err(Refusal::TooLarge));
    assert_eq!(&*client.joined(named(limit)).protocol, "0");
}

#[test]
fn all_groups_together_hold_as_much_as_the_limit_and_no_more() {
    let mut client = Client::new(Options {
        octets: 1000,
        ..Options::default()
    });
    let named = |group: &str, octets: usize| {
        let mut join = join_of("");
        join.group = group.into();
        join.protocols[0].metadata = vec![0; octets].into();
        join
    };
    let one = client.joined(named("g", 600)).member_id;
    let refused = client.join(named("h", 600));
    assert_eq!(client.joins[&refused], Err(Refusal::NoRoom));
    let refused = client.sync(member(&one, 1), &[(&one, &"a".repeat(600))]);
    assert_eq!(client.syncs[&refused], Err(Refusal::NoRoom));
    client.sync(member(&one, 1), &[(&one, &"a".repeat(100))]);
    client.leave(&one).unwrap();
    client.joined(named("h", 600));
}

#[test]
fn what_a_member_keeps_does_not_keep_its_request() {
    let mut client = client();
    let request = Bytes::from(vec![0; 1000]);
    let mut join = join_of("");
    join.protocols[0].metadata = request.slice(..10);
    let one = client.joined(join.clone()).member_id;
    client.sync_with(Sync {
        member: member(&one, 1),
        protocol_type: None,
        protocol: None,
        assignments: vec![(one.clone(), request.slice(10..20))],
    });
    join.member_id = one;
    client.joined(join);
    assert!(request.is_unique(), "nothing of it is held");
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
fn names_and_metadata_may_be_as_long_as_the_limit_and_no_longer() {
    let (name_bytes, protocol_bytes, member_bytes) = (10, 7, 30);
    let mut client = Client::new(Options {
        name_bytes,
        protocol_bytes,
        member_bytes,
        ..Options::default()
    });
    let name = "n".repeat(name_bytes);
    let mut largest = Join {
        instance_id: Some(name.as_str().into()),
        client_id: name.as_str().into(),
        client_host: name.as_str().into(),
        protocol_type: name.as_str().into(),
        ..join_of("")
    };
    for protocol in &mut largest.protocols {
        protocol.metadata = vec![0; member_bytes / 2].into();
    }
    largest.protocols[0].name = "p".repeat(protocol_bytes).into();
    let changes: [fn(&mut Join); 6] = [
        |join| join.instance_id = Some(longer(join.instance_id.as_ref().unwrap())),
        |join| join.client_id = longer(&join.client_id),
        |join| join.client_host = longer(&join.client_host),
        |join| join.protocol_type = longer(&join.protocol_type),
        |join| join.protocols[0].name = longer(&join.protocols[0].name),
        |join| join.protocols[1].metadata = vec![0; 16].into(),
    ];
    for change in changes {
        let mut larger = largest.clone();
        change(&mut larger);
        let caller = client.join(larger);
        assert_eq!(client.joins[&caller], Err(Refusal::TooLarge));
    }
    client.joined(largest);
}

fn longer(text: &str) -> Arc<str> {
    format!("{text}+").into()
}

#[test]
fn an_id_that_was_handed_out_takes_the_room_of_a_member() {
    let mut client = Client::new(Options {
        members: 2,
        ..Options::default()
    });
    let one = client.joined(join_of("")).member_id;
    let two = asked_id(&mut client);
    let third = client.join(join_of(""));
    assert_eq!(client.joins[&third], Err(Refusal::GroupFull));
    let second = client.join(join_of(&two));
    client.join(join_of(&one));
    let joined = client.joins[&second].as_ref().unwrap();
    assert_eq!((&joined.member_id, joined.generation), (&two, 2));
}

#[test]
fn who_is_in_a_full_group_may_join_again() {
    let mut client = Client::new(Options {
        members: 1,
        ..Options::default()
    });
    let one = client.joined(static_join("", "i1")).member_id;
    assert_eq!(client.joined(join_of(&one)).member_id, one);
    client.sync(member(&one, 2), &[(&one, "all")]);
    let back = client.joined(static_join("", "i1"));
    assert_ne!(back.member_id, one);
    let other = client.join(static_join("", "i2"));
    assert_eq!(client.joins[&other], Err(Refusal::GroupFull));
}

#[test]
fn a_group_without_a_name_is_refused_by_that_whether_it_has_offsets_or_not() {
    let mut client = client();
    let nameless = Membership {
        group: "".into(),
        ..member("m", 1)
    };
    for _ in 0..2 {
        let beat = client.coordinator.heartbeat(&nameless, client.now);
        assert_eq!(beat, Err(Refusal::InvalidGroupId));
        let sync = client.sync(nameless.clone(), &[]);
        assert_eq!(client.syncs[&sync], Err(Refusal::InvalidGroupId));
        let join = client.join(Join {
            group: "".into(),
            ..join_of("")
        });
        assert_eq!(client.joins[&join], Err(Refusal::InvalidGroupId));
        client.coordinator.remember(&"".into(), client.now);
    }
}

#[test]
fn session_timeouts_are_possible_from_the_shortest_to_the_longest() {
    let mut client = Client::new(Options {
        min_session_timeout: SECOND,
        max_session_timeout: 3 * SECOND,
        ..Options::default()
    });
    for (timeout, is_possible) in [
        (SECOND / 2, false),
        (SECOND, true),
        (3 * SECOND, true),
        (4 * SECOND, false),
    ] {
        let mut join = join_of("");
        (join.group, join.session_timeout) = (format!("{timeout:?}").into(), timeout);
        let caller = client.join(join);
        let refused = client.joins[&caller].clone().err();
        let expected = (!is_possible).then_some(Refusal::InvalidSessionTimeout);
        assert_eq!(refused, expected, "{timeout:?}");
    }
}
