//! Offsets that a group has committed, taken back; members that are sent away.

use standpipe_core::broker::Limits;

use super::*;
use crate::codec::api::{coordinator::*, groups::*, membership::*, offsets::*};

/// Commits offset 1 of both partitions of `t`, as nobody's member.
async fn commit(socket: &mut TcpStream) {
    commit_at(socket, [1, 1]).await;
}

async fn commit_at(socket: &mut TcpStream, offsets: [i64; 2]) {
    let partition = |index: usize| CommitPartition {
        partition_index: index as i32,
        committed_offset: offsets[index],
        ..Default::default()
    };
    let asked = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id: -1,
        topics: vec![CommitTopic {
            name: "t".into(),
            partitions: vec![partition(0), partition(1)],
        }],
        ..Default::default()
    };
    let said: OffsetCommitResponse = ask(socket, ApiKey::OffsetCommit, 8, &asked).await;
    assert!(
        said.topics[0]
            .partitions
            .iter()
            .all(|at| at.error_code == 0)
    );
}

async fn committed(socket: &mut TcpStream) -> Vec<(i32, i64)> {
    let asked = OffsetFetchRequest {
        group_id: "g".into(),
        topics: None,
        ..Default::default()
    };
    let said: OffsetFetchResponse = ask(socket, ApiKey::OffsetFetch, 7, &asked).await;
    let partitions = said.topics.into_iter().flat_map(|topic| topic.partitions);
    partitions
        .map(|at| (at.partition_index, at.committed_offset))
        .collect()
}

async fn delete(socket: &mut TcpStream, group: &str) -> OffsetDeleteResponse {
    let partition = |partition_index| OffsetDeletePartition { partition_index };
    let asked = OffsetDeleteRequest {
        group_id: group.into(),
        topics: vec![OffsetDeleteTopic {
            name: "t".into(),
            partitions: vec![partition(0), partition(9)],
        }],
    };
    ask(socket, ApiKey::OffsetDelete, 0, &asked).await
}

fn codes(said: &OffsetDeleteResponse) -> Vec<i16> {
    let partitions = said.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|at| at.error_code).collect()
}

/// Joins as a consumer, or as anything else, and brings what is told about it.
async fn join(socket: &mut TcpStream, kind: &str, metadata: &'static [u8]) -> JoinGroupResponse {
    let mut asked = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 60_000,
        protocol_type: kind.into(),
        protocols: vec![JoinProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(metadata),
        }],
        ..Default::default()
    };
    let named: JoinGroupResponse = ask(socket, ApiKey::JoinGroup, 7, &asked).await;
    asked.member_id = named.member_id;
    ask(socket, ApiKey::JoinGroup, 7, &asked).await
}

async fn settle_in(socket: &mut TcpStream, member: &JoinGroupResponse) {
    let asked = SyncGroupRequest {
        group_id: "g".into(),
        generation_id: member.generation_id,
        member_id: member.member_id.clone(),
        assignments: vec![SyncAssignment {
            member_id: member.member_id.clone(),
            assignment: Bytes::from_static(b"all"),
        }],
        ..Default::default()
    };
    let said: SyncGroupResponse = ask(socket, ApiKey::SyncGroup, 4, &asked).await;
    assert_eq!(said.error_code, 0);
}

async fn served_group() -> (Served, TcpStream) {
    let served = served().await;
    let mut spec = standpipe_core::broker::TopicSpec::new(NAMESPACE, "t");
    spec.partitions = 2;
    served.broker.create_topic(spec).await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    commit(&mut socket).await;
    (served, socket)
}

#[tokio::test]
async fn offsets_of_an_empty_group_are_taken_back_one_by_one() {
    let (_served, mut socket) = served_group().await;
    assert_eq!(committed(&mut socket).await, [(0, 1), (1, 1)]);
    let said = delete(&mut socket, "g").await;
    assert_eq!(said.error_code, 0);
    let missing = ErrorCode::UnknownTopicOrPartition.number();
    assert_eq!(codes(&said), [0, missing]);
    assert_eq!(committed(&mut socket).await, [(1, 1)]);
    assert_eq!(
        codes(&delete(&mut socket, "g").await),
        [0, missing],
        "again"
    );
    for (group, code) in [
        ("nobody", ErrorCode::GroupIdNotFound),
        ("", ErrorCode::InvalidGroupId),
    ] {
        let refused = delete(&mut socket, group).await;
        assert_eq!(refused.error_code, code.number(), "{group}");
    }
}

/// Java's consumers before 4.0 with `group.id=` do so, and assign partitions to themselves.
#[tokio::test]
async fn offsets_are_kept_under_the_empty_name_which_nobody_joins() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let topics = vec![CommitTopic {
        name: "t".into(),
        partitions: vec![CommitPartition {
            committed_offset: 7,
            ..Default::default()
        }],
    }];
    let asked = OffsetCommitRequest {
        generation_id: -1,
        topics,
        ..Default::default()
    };
    let said: OffsetCommitResponse = ask(&mut socket, ApiKey::OffsetCommit, 8, &asked).await;
    assert_eq!(said.topics[0].partitions[0].error_code, 0);
    let asked = OffsetFetchRequest::default();
    let said: OffsetFetchResponse = ask(&mut socket, ApiKey::OffsetFetch, 7, &asked).await;
    assert_eq!(said.topics[0].partitions[0].committed_offset, 7);
    let asked = DescribeGroupsRequest {
        groups: vec![String::new()],
        ..Default::default()
    };
    let said: DescribeGroupsResponse = ask(&mut socket, ApiKey::DescribeGroups, 5, &asked).await;
    assert_eq!(said.groups[0].group_state, "Empty");
    let asked = JoinGroupRequest::default();
    let said: JoinGroupResponse = ask(&mut socket, ApiKey::JoinGroup, 7, &asked).await;
    assert_eq!(said.error_code, ErrorCode::InvalidGroupId.number());

    let reopened = opened(served.store.clone(), Options::default()).await;
    let client = connected(reopened).await;
    let asked = DeleteGroupsRequest {
        groups_names: vec![String::new()],
    };
    let said = crate::frontend::groups::delete(&client, asked).await;
    assert_eq!(said.results[0].error_code, 0, "it is known after a restart");
}

#[tokio::test]
async fn a_commit_of_a_group_more_than_a_topic_takes_is_refused_for_good() {
    let limits = Limits {
        subscriptions: 1,
        ..Limits::default()
    };
    let client = within(limits).await;
    for (group, code) in [
        ("g", ErrorCode::None),
        ("h", ErrorCode::InvalidCommitOffsetSize),
        ("g", ErrorCode::None),
    ] {
        let asked = OffsetCommitRequest {
            group_id: group.into(),
            generation_id: -1,
            topics: vec![CommitTopic {
                name: "t".into(),
                partitions: vec![CommitPartition::default()],
            }],
            ..Default::default()
        };
        let said = crate::frontend::offsets::commit(&client, asked).await;
        let told = said.topics[0].partitions[0].error_code;
        assert_eq!(told, code.number(), "{group}");
    }
}

#[tokio::test]
async fn offsets_of_a_topic_that_a_member_reads_stay() {
    for (kind, metadata, expected) in [
        (
            "consumer",
            &b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff"[..],
            Some(false),
        ),
        (
            "consumer",
            b"\0\x01\0\0\0\x01\0\x01u\xff\xff\xff\xff",
            Some(true),
        ),
        ("consumer", b"no subscription", Some(false)),
        ("connect", b"", None),
    ] {
        let (_served, mut socket) = served_group().await;
        let member = join(&mut socket, kind, metadata).await;
        assert_eq!(member.error_code, 0);
        if kind == "consumer" {
            let early = delete(&mut socket, "g").await;
            let subscribed = ErrorCode::GroupSubscribedToTopic.number();
            assert_eq!(codes(&early)[0], subscribed, "not known while they join");
        }
        settle_in(&mut socket, &member).await;
        let said = delete(&mut socket, "g").await;
        match expected {
            Some(true) => assert_eq!(codes(&said)[0], 0),
            Some(false) => {
                let subscribed = ErrorCode::GroupSubscribedToTopic.number();
                assert_eq!(codes(&said)[0], subscribed, "{metadata:?}");
            }
            None => assert_eq!(said.error_code, ErrorCode::NonEmptyGroup.number()),
        }
        let left = if expected == Some(true) { 1 } else { 2 };
        assert_eq!(committed(&mut socket).await.len(), left);
    }
}

#[tokio::test]
async fn several_members_are_sent_away_at_once_each_with_its_answer() {
    let (_served, mut socket) = served_group().await;
    let member = join(&mut socket, "consumer", b"").await;
    settle_in(&mut socket, &member).await;
    let leaving = |member_id: &str| LeavingMember {
        member_id: member_id.into(),
        ..Default::default()
    };
    let asked = LeaveGroupRequest {
        group_id: "g".into(),
        members: vec![leaving("nobody"), leaving(&member.member_id)],
        ..Default::default()
    };
    let said: LeaveGroupResponse = ask(&mut socket, ApiKey::LeaveGroup, 5, &asked).await;
    let codes: Vec<_> = said.members.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::UnknownMemberId.number(), 0]);
    let asked = DescribeGroupsRequest {
        groups: vec!["g".into()],
        ..Default::default()
    };
    let said: DescribeGroupsResponse = ask(&mut socket, ApiKey::DescribeGroups, 5, &asked).await;
    assert_eq!(said.groups[0].group_state, "Empty");
}

#[tokio::test]
async fn consumer_groups_have_a_coordinator_and_nothing_else_has() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let transactions = ErrorCode::TransactionalIdAuthorizationFailed;
    for (key_type, node, code) in [
        (0, 1, ErrorCode::None),
        (1, -1, transactions),
        (2, -1, ErrorCode::InvalidRequest),
    ] {
        let asked = FindCoordinatorRequest {
            key_type,
            coordinator_keys: vec!["g".into()],
            ..Default::default()
        };
        let key = ApiKey::FindCoordinator;
        let said: FindCoordinatorResponse = ask(&mut socket, key, 6, &asked).await;
        let found = &said.coordinators[0];
        assert_eq!((found.node_id, found.error_code), (node, code.number()));
    }
}

#[tokio::test]
async fn a_negative_offset_is_none() {
    let served = served().await;
    let mut spec = standpipe_core::broker::TopicSpec::new(NAMESPACE, "t");
    spec.partitions = 2;
    served.broker.create_topic(spec).await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    commit_at(&mut socket, [1, 1]).await;
    commit_at(&mut socket, [-2, 0]).await;
    assert_eq!(committed(&mut socket).await, [(1, 0)]);
    commit_at(&mut socket, [0, -1]).await;
    assert_eq!(committed(&mut socket).await, [(0, 0)]);
}
