//! Answers that a client does not read.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    io::{DuplexStream, duplex},
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{super::connection::talk, *};

/// Octets that are under way to a client which does not read.
const UNDER_WAY: usize = 64 << 10;

/// A connection to a broker with a thousand topics, and a question of which each answer has some
/// 150 KiB.
struct Talk {
    question: Bytes,
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
    // Less than a question: one that is sent was read.
    let (requests, from) = duplex(8);
    let (to, answers) = duplex(UNDER_WAY);
    Talk {
        question: request(ApiKey::Metadata, 12, &MetadataRequest::default()),
        requests,
        answers,
        serving: tokio::spawn(async move { talk(from, to, &client).await }),
    }
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
async fn a_client_that_takes_nothing_for_a_minute_is_closed() {
    let mut talk = talking().await;
    talk.requests.write_all(&talk.question).await.unwrap();
    let begun = Instant::now();
    talk.serving.await.unwrap();
    let minute = Duration::from_secs(60);
    let waited = begun.elapsed();
    assert!(waited >= minute && waited < 2 * minute, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_its_answer_slowly_stays() {
    let mut talk = talking().await;
    talk.requests.write_all(&talk.question).await.unwrap();
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
