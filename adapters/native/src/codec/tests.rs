use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use standpipe_core::{
    Error, ErrorKind,
    dispatcher::Receipt,
    driver::{NewTopic, PartitionInfo, Settlement, StartAt, SubscriptionInfo, TopicInfo},
    id::{Millis, Offset, PartitionId},
    message::{Annotations, Message, Text, Value},
    session::{
        AdminReply, AdminRequest, Bounds, CreditGrant, Delivered, Destination, Event, Open,
        OpenMode, Outcome, Publication, PublishRequest, Published, Request,
    },
    store::Durability,
};
use tokio_util::codec::Decoder as _;

use super::*;

fn receipt() -> Receipt {
    Receipt {
        partition: PartitionId(3),
        offset: Offset(1 << 40),
        lease: 9,
    }
}

fn message() -> Message {
    Message {
        annotations: Annotations {
            exchange: Some(Text::from("")),
            routing_key: None,
            topic: Some(Text::from("flights")),
            partition: Some(PartitionId(3)),
            offset: Some(Offset(7)),
            attempts: Some(0),
            appended: Some(Millis(-1)),
        },
        ..Message::new("payload")
            .with_key("k")
            .with_header("h", Value::Null)
            .with_header("h", Value::Bytes(Bytes::from_static(b"\xff")))
    }
}

fn plain() -> Message {
    Message {
        annotations: Annotations::default(),
        ..message()
    }
}

fn error() -> Error {
    Error::new(ErrorKind::NotFound, "broker", "no such thing")
}

fn admin_requests() -> [AdminRequest; 5] {
    let name = || "t".to_owned();
    [
        AdminRequest::List,
        AdminRequest::Describe(name()),
        AdminRequest::Create(NewTopic {
            name: name(),
            partitions: std::num::NonZeroU32::new(5),
            retention: Some("7d".to_owned()),
            durability: None,
        }),
        AdminRequest::Purge(name()),
        AdminRequest::Delete(name()),
    ]
}

fn client_frames() -> Vec<ClientFrame> {
    let publication = |sequence, message| Publication { sequence, message };
    let open = Open {
        group: Some("g".to_owned()),
        mode: OpenMode::Positional,
        from: StartAt::Time(Millis(-5)),
        credit: CreditGrant {
            messages: 300,
            bytes: Some(1 << 33),
        },
        lease: Duration::from_millis(1500),
        drain: true,
        ..Open::new("t")
    };
    let settlements = vec![
        (receipt(), Settlement::Ack),
        (receipt(), Settlement::RELEASE),
        (receipt(), Settlement::reject("bad")),
        (
            receipt(),
            Settlement::Extend {
                by: Duration::from_secs(1),
            },
        ),
    ];
    let mut frames = vec![
        ClientFrame::Hello {
            version: VERSION,
            features: u64::MAX,
        },
        ClientFrame::Publish(PublishRequest {
            destination: Some(Destination::Topic("t".to_owned())),
            durability: Some(Durability::Os),
            messages: vec![
                publication(0, plain()),
                publication(300, Message::default()),
            ],
        }),
        ClientFrame::Publish(PublishRequest::default()),
        ClientFrame::Open(open),
        ClientFrame::Open(Open::new("t")),
        ClientFrame::Request(Request::Credit(CreditGrant::default())),
        ClientFrame::Request(Request::Settle {
            sequence: 1,
            settlements,
        }),
        ClientFrame::Request(Request::Seek {
            sequence: 2,
            partition: Some(PartitionId(1)),
            to: StartAt::Offset(Offset(9)),
        }),
        ClientFrame::Request(Request::Commit {
            sequence: 3,
            offsets: vec![(PartitionId(0), Offset(1))],
        }),
    ];
    frames.extend(
        admin_requests()
            .into_iter()
            .map(|request| ClientFrame::Admin { id: 77, request }),
    );
    frames
}

fn topic() -> TopicInfo {
    TopicInfo {
        name: "t".to_owned(),
        retention: Some("forever".to_owned()),
        durability: Some("disk".to_owned()),
        partitions: vec![PartitionInfo {
            start: 1,
            end: 2,
            octets: 3,
        }],
        subscriptions: vec![SubscriptionInfo {
            name: "queue".to_owned(),
            mode: "lease".to_owned(),
            ready: 1,
            leased: 2,
            consumers: 3,
            floors: vec![4],
            lost: 5,
        }],
        held_by: Some("queue".to_owned()),
    }
}

fn server_frames() -> Vec<ServerFrame> {
    let bounds = Bounds {
        partition: PartitionId(0),
        start: Offset(1),
        end: Offset(3),
        position: Offset(2),
    };
    let delivered = |receipt| Delivered {
        receipt,
        redelivered: true,
        message: message(),
    };
    let published = Published {
        routed: 1,
        placed: Some((PartitionId(1), Offset(5))),
    };
    let outcome = |sequence, result| Outcome { sequence, result };
    let events = vec![
        Event::Opened(vec![bounds]),
        Event::Messages(vec![delivered(Some(receipt())), delivered(None)]),
        Event::Settled {
            sequence: 5,
            failures: vec![(receipt(), error())],
        },
        Event::Sought {
            sequence: 6,
            result: Err(error()),
        },
        Event::Committed {
            sequence: 7,
            result: Ok(()),
        },
        Event::Drained,
    ];
    let replies = vec![
        Ok(AdminReply::Done),
        Ok(AdminReply::Topics(vec![topic()])),
        Ok(AdminReply::Topic(Box::new(topic()))),
        Ok(AdminReply::Purged(8)),
        Err(error()),
    ];
    let mut frames = vec![
        ServerFrame::Welcome {
            version: 1,
            features: 0,
            message_limit: 16 << 20,
        },
        ServerFrame::Outcomes(vec![outcome(1, Ok(published)), outcome(2, Err(error()))]),
        ServerFrame::Failed(error()),
    ];
    frames.extend(events.into_iter().map(ServerFrame::Event));
    frames.extend(
        replies
            .into_iter()
            .map(|reply| ServerFrame::Admin { id: 1, reply }),
    );
    frames
}

fn framed(put: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    put(&mut out);
    let frame = Framing::new(DEFAULT_MESSAGE_LIMIT).decode(&mut out);
    assert!(out.len() <= 4 || frame.is_ok());
    frame.unwrap().unwrap()
}

#[test]
fn every_client_frame_round_trips() {
    for frame in client_frames() {
        let octets = framed(|out| frame.encode(out));
        assert_eq!(ClientFrame::decode(octets).unwrap(), frame);
    }
}

#[test]
fn every_server_frame_round_trips() {
    for frame in server_frames() {
        let octets = framed(|out| frame.encode(out));
        let again = ServerFrame::decode(octets.clone()).unwrap();
        assert_eq!(framed(|out| again.encode(out)), octets, "{frame:?}");
    }
}

#[test]
fn a_frame_cut_at_any_octet_is_refused() {
    for frame in client_frames() {
        let octets = framed(|out| frame.encode(out));
        for end in 0..octets.len() {
            assert!(
                ClientFrame::decode(octets.slice(..end)).is_err(),
                "{frame:?} cut at {end}"
            );
        }
    }
    for frame in server_frames() {
        let octets = framed(|out| frame.encode(out));
        for end in 0..octets.len() {
            assert!(
                ServerFrame::decode(octets.slice(..end)).is_err(),
                "{frame:?} cut at {end}"
            );
        }
    }
}

#[test]
fn octets_behind_the_last_field_are_refused() {
    let mut octets = framed(|out| client_frames()[0].encode(out)).to_vec();
    octets.push(0);
    assert!(ClientFrame::decode(Bytes::from(octets)).is_err());
}

#[test]
fn an_announced_length_of_2_to_the_31_is_refused_before_memory_is_taken() {
    let mut source = BytesMut::from(&(1u32 << 31).to_be_bytes()[..]);
    let error = Framing::new(DEFAULT_MESSAGE_LIMIT)
        .decode(&mut source)
        .unwrap_err();
    assert!(error.to_string().contains("2147483648"), "{error}");
    assert!(source.capacity() < 1024);
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets: Vec<u8>) {
        let _ = ClientFrame::decode(Bytes::from(octets.clone()));
        let _ = ServerFrame::decode(Bytes::from(octets));
    }

    #[test]
    fn any_fields_behind_a_tag_are_read_or_refused(tag in 1u8..9, octets: Vec<u8>) {
        let with = |tag: u8| Bytes::from([&[tag], octets.as_slice()].concat());
        let _ = ClientFrame::decode(with(tag));
        let _ = ServerFrame::decode(with(tag + 64));
    }
}
