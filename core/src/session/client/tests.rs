//! A client's leases, with the test in the broker's place.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::{
    dispatcher::Receipt,
    driver::{Consumer, Lane, ReceiptToken, Settlement, Settler},
    id::{Offset, PartitionId},
    message::Message,
    session::{CHANNEL_DEPTH, Delivered, Event},
};

type Requests = mpsc::Receiver<Request>;

fn client() -> (ClientConsumer, ClientSettler, EventSink, Requests) {
    let (sender, requests) = mpsc::channel(CHANNEL_DEPTH);
    let (consumer, settler, sink) = client_consumer(&Open::new("t"), None, sender, Arc::new(()));
    (consumer, settler, sink, requests)
}

/// A lease on the one message of the topic.
fn receipt(lease: u64) -> Receipt {
    Receipt {
        partition: PartitionId(0),
        offset: Offset(0),
        lease,
    }
}

fn ack(lease: u64) -> (ReceiptToken, Settlement) {
    let token = ReceiptToken {
        lane: Lane(0),
        number: lease,
    };
    (token, Settlement::Ack)
}

fn delivery(lease: u64) -> Event {
    Event::Messages(vec![Delivered {
        receipt: Some(receipt(lease)),
        redelivered: false,
        message: Message::new("a"),
    }])
}

fn failed(lease: u64, kind: ErrorKind) -> (Receipt, Error) {
    (receipt(lease), Error::new(kind, "settle", "refused"))
}

async fn settle_request(requests: &mut Requests) -> (u64, Vec<(Receipt, Settlement)>) {
    match requests.recv().await {
        Some(Request::Settle {
            sequence,
            settlements,
        }) => (sequence, settlements),
        other => panic!("no settlements: {other:?}"),
    }
}

/// Settles, while the broker answers that these settlements failed.
async fn settle(
    (settler, sink, requests): (&ClientSettler, &EventSink, &mut Requests),
    settlements: Vec<(ReceiptToken, Settlement)>,
    failures: Vec<(Receipt, Error)>,
) -> crate::Result<()> {
    let answering = async {
        let (sequence, _) = settle_request(requests).await;
        sink.event(Event::Settled { sequence, failures });
    };
    tokio::join!(settler.settle(settlements), answering).0
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_extended_in_time_again_and_again() {
    let (_consumer, _settler, sink, mut requests) = client();
    let opened = Instant::now();
    sink.event(delivery(1));
    for n in 1..=4 {
        let (_, settlements) = settle_request(&mut requests).await;
        let extension = Settlement::Extend { by: Open::LEASE };
        assert_eq!(settlements, [(receipt(1), extension)]);
        assert!(opened.elapsed() < Open::LEASE / 3 * n + Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_or_has_ended_is_not_extended() {
    let (_consumer, settler, sink, mut requests) = client();
    sink.event(delivery(1));
    sink.event(delivery(2));
    let (sequence, settlements) = settle_request(&mut requests).await;
    assert_eq!(settlements.len(), 1, "a message has one lease");
    assert_eq!(settlements[0].0, receipt(2));
    let failures = vec![failed(2, ErrorKind::NotFound)];
    sink.event(Event::Settled { sequence, failures });
    sink.event(delivery(3));
    let end = (&settler, &sink, &mut requests);
    settle(end, vec![ack(3)], Vec::new()).await.unwrap();
    let more = tokio::time::timeout(Open::LEASE, requests.recv()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_consumer_extends_nothing() {
    let (mut consumer, settler, sink, mut requests) = client();
    sink.event(delivery(1));
    consumer.close().await.unwrap();
    drop(settler);
    assert!(requests.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_extended_on_a_stream_that_has_ended() {
    let (sender, mut requests) = mpsc::channel(CHANNEL_DEPTH);
    let open = Open::new("t");
    let shared = Arc::new(Shared::new(&open, DEFAULT_WINDOW));
    let _keeper = LeaseKeeper::new(shared.clone(), sender, open.lease);
    let sink = EventSink::new(shared);
    sink.event(delivery(1));
    sink.closed(disconnected("receive"));
    assert!(requests.recv().await.is_none());
}

#[tokio::test]
async fn an_ack_behind_the_end_of_its_lease_is_no_failure_of_the_source() {
    let (_consumer, settler, sink, mut requests) = client();
    sink.event(delivery(1));
    let end = (&settler, &sink, &mut requests);
    let failures = vec![failed(1, ErrorKind::NotFound)];
    settle(end, vec![ack(1)], failures).await.unwrap();
    let twice = settler.settle(vec![ack(1)]).await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_ack_of_what_came_again_since_asks_nothing_of_the_broker() {
    let (_consumer, settler, sink, mut requests) = client();
    sink.event(delivery(1));
    sink.event(delivery(2));
    settler.settle(vec![ack(1)]).await.unwrap();
    assert!(requests.try_recv().is_err());
    let end = (&settler, &sink, &mut requests);
    settle(end, vec![ack(2)], Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_settlement_that_the_broker_cannot_keep_fails_beside_one_that_is_late() {
    let (_consumer, settler, sink, mut requests) = client();
    sink.event(delivery(1));
    let end = (&settler, &sink, &mut requests);
    let failures = vec![failed(1, ErrorKind::NotFound), failed(1, ErrorKind::Closed)];
    let error = settle(end, vec![ack(1)], failures).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
}

#[tokio::test]
async fn an_extension_behind_the_end_of_its_lease_says_so() {
    let (_consumer, settler, sink, mut requests) = client();
    sink.event(delivery(1));
    let (token, _) = ack(1);
    let extend = vec![(token, Settlement::Extend { by: Open::LEASE })];
    let end = (&settler, &sink, &mut requests);
    let failures = vec![failed(1, ErrorKind::NotFound)];
    let error = settle(end, extend.clone(), failures).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(settler.settle(extend).await.is_err());
}

#[test]
fn a_stream_that_ended_for_now_is_gone_for_good() {
    for kind in [ErrorKind::Transient, ErrorKind::Unknown, ErrorKind::Closed] {
        let shared = Arc::new(Shared::new(&Open::new("t"), DEFAULT_WINDOW));
        EventSink::new(shared.clone()).closed(Error::new(kind, "subscribe", "not now"));
        let error = shared.take(1, 1).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{kind:?}");
    }
}
