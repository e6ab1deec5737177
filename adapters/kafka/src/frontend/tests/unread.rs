//! Answers that a client does not read.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    io::{DuplexStream, duplex},
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{super::connection::talk, *};
use crate::codec::api::offsets::*;

/// Octets that are under way to a client which does not read.
const UNDER_WAY: usize = 64 << 10;

/// A connection to a broker with a thousand topics, a question of which each answer has some 150 KiB,
/// and one of which each has some 2.5 MiB.
struct Talk {
    client: Client,
    question: Bytes,
    large: Bytes,
    requests: DuplexStream,
    answers: DuplexStream,
    serving: JoinHandle<()>,
}

async fn talking() -> Talk {
    let broker = opened(Arc::new(MemoryStore::new()), Options::default()).await;
    for index in 0..1000 {
        let name = format!("{index:0>100}");
        broker.ensure_topic(NAMESPACE, &name).await.unwrap();
    }
    let client = connected(broker).await;
    let serving = client.clone();
    // Less than a question: one that is sent was read.
    let (requests, from) = duplex(8);
    let (to, answers) = duplex(UNDER_WAY);
    Talk {
        client,
        question: request(ApiKey::Metadata, 12, &MetadataRequest::default()),
        large: large(),
        requests,
        answers,
        serving: tokio::spawn(async move { talk(from, to, &serving).await }),
    }
}

/// Asks for offsets of many partitions; none is committed.
fn large() -> Bytes {
    let asked = OffsetFetchRequest {
        group_id: "g".into(),
        topics: Some(vec![OffsetTopic {
            name: "t".into(),
            partition_indexes: (0..130_000).collect(),
        }]),
        ..Default::default()
    };
    request(ApiKey::OffsetFetch, 7, &asked)
}

/// The clock passes once there is nothing to do.
#[tokio::test(start_paused = true)]
async fn no_request_is_read_while_a_mebibyte_of_answers_is_not() {
    let Talk {
        question,
        mut requests,
        mut answers,
        ..
    } = talking().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let asking = tokio::spawn(async move {
        for _ in 0..40 {
            requests.write_all(&question).await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
        requests
    });
    sleep(Duration::from_secs(1)).await;
    let unread = sent.load(Ordering::Relaxed);
    assert!((2..16).contains(&unread), "{unread}");
    for _ in 0..40 {
        assert_eq!(response(&mut answers).await.get_i32(), 7);
    }
    asking.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_a_large_answer_for_a_minute_is_closed() {
    let mut talk = talking().await;
    talk.requests.write_all(&talk.large).await.unwrap();
    let begun = Instant::now();
    talk.serving.await.unwrap();
    let minute = Duration::from_secs(60);
    let waited = begun.elapsed();
    assert!(waited >= minute && waited < 2 * minute, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_another_for_ten_minutes_is_closed() {
    let mut talk = talking().await;
    talk.requests.write_all(&talk.question).await.unwrap();
    let begun = Instant::now();
    sleep(Duration::from_secs(300)).await;
    assert!(!talk.serving.is_finished());
    talk.serving.await.unwrap();
    let waited = begun.elapsed();
    let idle = Duration::from_secs(600);
    assert!(waited >= idle && waited < 2 * idle, "{waited:?}");
}

/// What is queued behind a fetch must not hold what the fetch waits for.
#[tokio::test(start_paused = true)]
async fn large_answers_behind_each_other_are_written_where_there_is_room_for_one() {
    let mut talk = talking().await;
    let (broker, outlet) = (talk.client.broker(), talk.client.service.outlet());
    broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let most = || async { BytesMut::zeroed(253 << 20) };
    let _others = outlet.make(most(), most()).await;
    let polling = request(ApiKey::Fetch, 12, &fetch("t", 0, 60_000));
    talk.requests.write_all(&polling).await.unwrap();
    talk.requests.write_all(&talk.large).await.unwrap();
    // Until both were acted on.
    sleep(Duration::from_secs(1)).await;
    let message = Message::new(vec![b'x'; 5 << 19]);
    let published = broker.publish(Publish {
        namespace: NAMESPACE,
        target: Target::Topic("t"),
        draft: NativeCodec::encode(&message),
        key: None,
        lane: LaneId(0),
        durability: None,
        admission: broker.admit(1).await.unwrap(),
    });
    published.unwrap().confirm.wait().await.unwrap();
    let both = async {
        for _ in 0..2 {
            let answer = response(&mut talk.answers).await;
            assert!(answer.len() > 2 << 20, "{}", answer.len());
        }
    };
    let both = tokio::time::timeout(Duration::from_secs(60), both).await;
    both.expect("both are read");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_its_answer_slowly_stays() {
    let mut talk = talking().await;
    talk.requests.write_all(&talk.large).await.unwrap();
    for _ in 0..3 {
        sleep(Duration::from_secs(50)).await;
        talk.answers.read_exact(&mut [0; 1024]).await.unwrap();
        assert!(!talk.serving.is_finished());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_holds_up_no_stop() {
    let broker = opened(Arc::new(MemoryStore::new()), Options::default()).await;
    let client = connected(broker).await;
    let stop = client.gone.clone();
    let (mut requests, from) = duplex(1 << 20);
    let (to, _answers) = duplex(8);
    let question = request(ApiKey::Metadata, 12, &MetadataRequest::default());
    for _ in 0..60 {
        requests.write_all(&question).await.unwrap();
    }
    let serving = tokio::spawn(async move { talk(from, to, &client).await });
    // More than are under way at once.
    sleep(Duration::from_secs(1)).await;
    stop.cancel();
    let begun = Instant::now();
    serving.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
}
