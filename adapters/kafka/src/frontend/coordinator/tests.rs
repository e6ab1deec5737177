//! Which groups are remembered, and whose offsets go.

use bytes::Bytes;
use futures::FutureExt;
use standpipe_core::{
    broker::{self, GroupOffset, TopicSpec},
    codec::Codecs,
    group::Protocol,
    id::{Offset, PartitionId},
    store::MemoryStore,
};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// The groups of a broker with the topic `t`.
async fn open(options: Options) -> Groups {
    let store = Arc::new(MemoryStore::new());
    let opened = Broker::open(store, Codecs::default(), broker::Options::default());
    let broker = opened.await.unwrap();
    let created = broker.create_topic(TopicSpec::new(NAMESPACE, "t"));
    created.await.unwrap();
    Groups::new(broker, options)
}

/// Groups that expire as soon as they have no members.
fn brief() -> Options {
    Options {
        empty_retention: Duration::ZERO,
        ..Options::default()
    }
}

/// Commits as another protocol does: nobody asks the coordinator.
async fn commit(groups: &Groups, group: &str) {
    let offset = GroupOffset {
        topic: "t".into(),
        partition: PartitionId(0),
        offset: Offset(1),
        leader_epoch: -1,
        metadata: Bytes::new(),
    };
    let offsets = [offset];
    let committed = groups.broker.group_commit(NAMESPACE, group, &offsets);
    committed.await.unwrap().wait().await.unwrap();
}

fn outside(group: &str) -> Membership {
    Membership {
        group: group.into(),
        member_id: "".into(),
        instance_id: None,
        generation: -1,
    }
}

async fn join(groups: &Groups, group: &str) -> Joined {
    let joined = groups.join(Join {
        group: group.into(),
        member_id: "".into(),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: "consumer".into(),
        protocols: vec![Protocol {
            name: "range".into(),
            metadata: Bytes::new(),
        }],
        asks_for_member_id: false,
        skips_assignment: false,
    });
    joined.await.unwrap().unwrap()
}

fn leave(groups: &Groups, group: &str, member: Joined) {
    let leaver = Leaver {
        member_id: member.member_id,
        instance_id: None,
    };
    assert_eq!(groups.leave(&group.into(), &[leaver]), [Ok(())]);
}

fn names(groups: &Groups) -> Vec<String> {
    let listed = groups.list().into_iter();
    listed.map(|listing| listing.group.to_string()).collect()
}

fn has_offsets(groups: &Groups, group: &str) -> bool {
    !groups.broker.group_offsets(NAMESPACE, group).is_empty()
}

/// Groups expire, and their offsets are still there.
fn expire(groups: &Groups) {
    let now = groups.now();
    groups.act(|state| state.coordinator.tick(now, &mut state.effects));
}

#[tokio::test]
async fn who_joins_before_a_deletion_has_its_turn_keeps_the_group() {
    let groups = open(Options::default()).await;
    commit(&groups, "g").await;
    assert_eq!(names(&groups), ["g"]);
    let mut other = Box::pin(commit(&groups, "h"));
    assert!(other.as_mut().now_or_never().is_none(), "it has the turn");
    let mut deleting = Box::pin(groups.delete("g"));
    assert!(deleting.as_mut().now_or_never().is_none());
    join(&groups, "g").await;
    other.await;
    assert_eq!(deleting.await.unwrap(), Err(Refusal::NonEmptyGroup));
    assert!(has_offsets(&groups, "g"));
}

#[tokio::test]
async fn a_deleted_group_is_gone_with_its_offsets() {
    let groups = open(Options::default()).await;
    commit(&groups, "g").await;
    assert_eq!(names(&groups), ["g"]);
    assert_eq!(groups.delete("g").await.unwrap(), Ok(()));
    assert!(!has_offsets(&groups, "g"));
    assert!(names(&groups).is_empty());
    let again = groups.delete("g").await.unwrap();
    assert_eq!(again, Err(Refusal::GroupNotFound));
}

#[tokio::test]
async fn a_group_is_not_remembered_for_offsets_that_are_about_to_go() {
    let groups = open(brief()).await;
    commit(&groups, "g").await;
    assert_eq!(names(&groups), ["g"]);
    expire(&groups);
    assert!(names(&groups).is_empty());
    groups.forget_expired().await;
    assert!(!has_offsets(&groups, "g"));
}

#[tokio::test]
async fn who_joins_an_expired_group_before_its_offsets_go_keeps_them() {
    let groups = open(brief()).await;
    commit(&groups, "g").await;
    assert_eq!(names(&groups), ["g"]);
    expire(&groups);
    join(&groups, "g").await;
    groups.forget_expired().await;
    assert!(has_offsets(&groups, "g"));
    assert_eq!(names(&groups), ["g"]);
}

#[tokio::test]
async fn offsets_are_kept_while_another_protocol_commits_them() {
    let options = Options {
        empty_retention: HOUR,
        ..Options::default()
    };
    let groups = open(options).await;
    commit(&groups, "g").await;
    assert_eq!(names(&groups), ["g"]);
    // By the clock of groups an hour later; by that of commits none.
    groups.pass(groups.now().after(HOUR));
    groups.forget_expired().await;
    assert!(has_offsets(&groups, "g"));
    let due = groups.state.lock().coordinator.next_deadline();
    assert!(due.is_some(), "it expires later");
}

#[tokio::test]
async fn a_group_without_members_is_remembered_if_the_store_has_offsets_of_it() {
    let groups = open(Options::default()).await;
    let [with, without] = ["g", "h"].map(|name| join(&groups, name));
    let (with, without) = (with.await, without.await);
    commit(&groups, "g").await;
    leave(&groups, "g", with);
    leave(&groups, "h", without);
    assert_eq!(groups.check_commit(&outside("i")), Ok(()));
    commit(&groups, "i").await;
    groups.pass(groups.now().after(HOUR));
    groups.forget_expired().await;
    let listed = groups.state.lock().coordinator.list().into_iter();
    let kinds: Vec<_> = listed
        .map(|listing| (listing.group.to_string(), listing.protocol_type.to_string()))
        .collect();
    let kind = |group: &str, kind: &str| (group.to_owned(), kind.to_owned());
    assert_eq!(kinds, [kind("g", "consumer"), kind("i", "")]);
}

#[tokio::test]
async fn commits_of_nothing_leave_room_for_groups_and_take_none_that_has_offsets() {
    let options = Options {
        groups: 2,
        ..Options::default()
    };
    let groups = open(options).await;
    assert_eq!(groups.check_commit(&outside("g")), Ok(()));
    commit(&groups, "g").await;
    for group in ["a", "b", "c", "d"] {
        assert_eq!(groups.check_commit(&outside(group)), Ok(()));
    }
    join(&groups, "j").await;
    let listed = groups.state.lock().coordinator.list().into_iter();
    let names: Vec<_> = listed.map(|listing| listing.group.to_string()).collect();
    assert!(names.iter().any(|name| name == "g"), "{names:?}");
    assert!(names.iter().any(|name| name == "j"), "{names:?}");
}
