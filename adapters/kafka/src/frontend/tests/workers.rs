//! What would take the time of a runtime's thread is done on others.

use std::{
    future::Future,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::available_parallelism,
};

use futures::FutureExt;
use tokio::task::yield_now;

use super::{
    super::{dispatch::Answer, workers::Workers},
    records::holding,
    *,
};
use crate::codec::header::RequestHeader;

/// How often something is named in a request.
const TIMES: usize = 50;

/// Takes the thread whenever it is free.
async fn tick(ticks: &AtomicUsize) {
    loop {
        ticks.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
    }
}

/// What comes of `work`, and how often others had the thread meanwhile.
async fn with_ticks<T>(work: impl Future<Output = T>) -> (T, usize) {
    let ticks = AtomicUsize::new(0);
    let done = tokio::select! {
        biased;
        done = work => done,
        () = tick(&ticks) => unreachable!("it goes on"),
    };
    (done, ticks.into_inner())
}

/// What becomes of a request with a batch many times, and how often others had the thread meanwhile.
async fn produced_often(client: &Client, body: Bytes) -> (Vec<i16>, usize) {
    let mut request = produce("t", body);
    let partitions = &mut request.topics[0].partitions;
    let again = partitions[0].clone();
    partitions.resize(TIMES, again);
    let header = RequestHeader {
        key: ApiKey::Produce,
        version: 11,
        correlation: 7,
        client_id: "test".into(),
    };
    let begun = crate::frontend::produce::begin(client, header, request);
    let (begun, ticks) = with_ticks(begun).await;
    let Ok(Answer::Later { due, .. }) = begun else {
        panic!("it has an answer");
    };
    let mut octets = due.await.octets.freeze();
    octets.advance(9);
    let answer = ProduceResponse::read(&mut Reader::new(octets, true), 11).unwrap();
    let told = answer.responses[0].partitions.iter();
    (told.map(|one| one.error_code).collect(), ticks)
}

/// Takes the places of all workers until what comes of it is dropped.
fn all_busy(workers: &Workers) -> Vec<mpsc::Sender<()>> {
    let processors = available_parallelism().map_or(1, usize::from);
    let places = (0..processors).map(|_| {
        let (held, freed) = mpsc::channel();
        let working = workers.run(move || freed.recv().is_ok());
        assert!(working.now_or_never().is_none(), "it has begun");
        held
    });
    places.collect()
}

#[tokio::test]
async fn small_batches_of_which_much_comes_leave_the_thread_to_others() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let client = connected(served.broker.clone()).await;
    let zeros = vec![0_u8; 8 << 20];
    let bomb = holding(1, 4, &zstd::encode_all(&zeros[..], 1).unwrap());
    let (codes, ticks) = produced_often(&client, bomb).await;
    assert!(ticks >= TIMES, "{ticks}");
    assert_eq!(codes, [ErrorCode::InvalidRecord.number(); TIMES]);
}

#[tokio::test]
async fn small_batches_of_which_little_comes_need_no_worker_and_leave_the_thread_too() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let client = connected(served.broker.clone()).await;
    let busy = all_busy(client.service.workers());
    let records = batch(&["a"], None).slice(61..);
    let small = holding(1, 4, &zstd::encode_all(&records[..], 1).unwrap());
    let (codes, ticks) = produced_often(&client, small).await;
    assert!(ticks >= TIMES, "{ticks}");
    assert_eq!(codes, [0; TIMES]);
    drop(busy);
}

#[tokio::test]
async fn offsets_by_time_inside_such_a_batch_leave_it_too() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let value: &'static str = "x".repeat(4 << 20).leak();
    let records = batch(&[value], None).slice(61..);
    let packed = zstd::encode_all(&records[..], 1).unwrap();
    let taken = produced(&mut socket, "t", holding(1, 4, &packed)).await;
    assert_eq!(taken.error_code, 0);
    let client = connected(served.broker.clone()).await;
    let at = ListPartition {
        timestamp: 1000,
        ..Default::default()
    };
    let asked = ListOffsetsRequest {
        topics: vec![ListTopic {
            name: "t".into(),
            partitions: vec![at; TIMES],
        }],
        ..Default::default()
    };
    let listing = crate::frontend::list_offsets::answer(&client, asked, 8);
    let (listed, ticks) = with_ticks(listing).await;
    assert!(ticks >= TIMES, "{ticks}");
    let listed = listed.topics[0].partitions.iter();
    let offsets: Vec<_> = listed.map(|one| one.offset).collect();
    assert_eq!(offsets, [0; TIMES]);
}
