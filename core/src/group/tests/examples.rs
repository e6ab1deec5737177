//! Examples, each of one rule.

use super::*;

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
fn a_request_sent_again_while_it_waits_ends_the_earlier_one() {
    let mut client = client();
    let (one, _) = pair(&mut client);
    let first = client.join(join_of(&one));
    let second = client.join(join_of(&one));
    assert_eq!(client.joins[&first], Err(Refusal::RebalanceInProgress));
    assert!(!client.joins.contains_key(&second));
}

#[test]
fn who_joins_again_before_the_assignment_is_answered_unless_it_says_something_else() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    let again = Join {
        protocols: join_of("").protocols,
        ..join_of(&one)
    };
    assert_eq!(client.joined(again).generation, 1);
    assert_eq!(client.joined(join_of(&one)).generation, 2);
}

#[test]
fn a_follower_that_says_something_else_rebalances_and_its_words_count() {
    let mut client = client();
    let (one, two) = pair(&mut client);
    let mut other = Join {
        client_id: "renamed".into(),
        client_host: "/10.0.0.1".into(),
        ..join_of(&two)
    };
    other.protocols.remove(0);
    client.join(other);
    assert_eq!(state(&client), Some(State::PreparingRebalance));
    assert_eq!(&*client.joined(join_of(&one)).protocol, "sticky");
    let described = client.coordinator.describe("g").unwrap();
    let member = described.members.iter().find(|m| *m.member_id == *two);
    let member = member.unwrap();
    assert_eq!(
        (&*member.client_id, &*member.client_host),
        ("renamed", "/10.0.0.1")
    );
}

#[test]
fn a_lone_member_may_turn_to_protocols_that_nobody_had() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    let mut other = join_of(&one);
    other.protocols.truncate(1);
    other.protocols[0].name = "other".into();
    assert_eq!(&*client.joined(other).protocol, "other");
}

#[test]
fn a_join_without_a_protocol_type_is_inconsistent() {
    let mut client = client();
    let mut nothing = join_of("");
    nothing.protocol_type = "".into();
    let caller = client.join(nothing);
    assert_eq!(client.joins[&caller], Err(Refusal::InconsistentProtocol));
}

#[test]
fn a_sync_that_believes_in_another_protocol_is_inconsistent() {
    let mut client = client();
    let one = client.joined(join_of("")).member_id;
    let believes = |protocol_type: &str, protocol: &str| Sync {
        member: member(&one, 1),
        protocol_type: Some(protocol_type.into()),
        protocol: Some(protocol.into()),
        assignments: Vec::new(),
    };
    for (kind, protocol) in [("connect", "range"), ("consumer", "sticky")] {
        let caller = client.sync_with(believes(kind, protocol));
        assert_eq!(client.syncs[&caller], Err(Refusal::InconsistentProtocol));
    }
    let caller = client.sync_with(believes("consumer", "range"));
    let synced = client.syncs[&caller].as_ref().unwrap();
    assert_eq!(&*synced.protocol_type, "consumer");
    assert_eq!(&*synced.protocol, "range");
}

#[test]
fn refusals_are_told_apart_and_name_the_id_to_join_with() {
    let refusals = [
        Refusal::UnknownMember,
        Refusal::IllegalGeneration,
        Refusal::RebalanceInProgress,
        Refusal::MemberIdRequired("id-7".into()),
        Refusal::InconsistentProtocol,
        Refusal::FencedInstance,
    ];
    let texts: std::collections::BTreeSet<_> = refusals.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), refusals.len());
    assert!(texts.contains("join again with member id `id-7`"));
}
