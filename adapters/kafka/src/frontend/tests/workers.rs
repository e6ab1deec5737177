//! What would take the time of a runtime's thread is done on others.

use std::{
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::task::yield_now;

use super::{super::dispatch::Answer, records::holding, *};
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

#[tokio::test]
async fn small_batches_of_which_much_comes_leave_the_thread_to_others() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let client = connected(served.broker.clone()).await;
    let zeros = vec![0_u8; 8 << 20];
    let bomb = holding(1, 4, &zstd::encode_all(&zeros[..], 1).unwrap());
    let mut request = produce("t", bomb);
    let partitions = &mut request.topics[0].partitions;
    let again = partitions[0].clone();
    partitions.resize(TIMES, again);
    let header = RequestHeader {
        key: ApiKey::Produce,
        version: 11,
        correlation: 7,
        client_id: "test".into(),
    };
    let begun = crate::frontend::produce::begin(&client, header, request);
    let (begun, ticks) = with_ticks(begun).await;
    assert!(ticks >= TIMES, "{ticks}");
    let Ok(Answer::Later { due, .. }) = begun else {
        panic!("it has an answer");
    };
    let mut octets = due.await.octets.freeze();
    octets.advance(9);
    let answer = ProduceResponse::read(&mut Reader::new(octets, true), 11).unwrap();
    let refused = answer.responses[0].partitions.iter();
    let codes: Vec<_> = refused.map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::InvalidRecord.number(); TIMES]);
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
