//! How much of large answers is held at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;

use super::{
    super::outlet::{Due, Outlet},
    *,
};

const MIB: usize = 1 << 20;

/// An answer of so many octets, counted as often as it is made.
async fn made(outlet: &Outlet, octets: usize, times: &AtomicUsize) -> Due {
    let make = || async {
        times.fetch_add(1, Ordering::Relaxed);
        BytesMut::zeroed(octets)
    };
    outlet.make(make(), make()).await
}

#[tokio::test]
async fn a_large_answer_waits_until_others_are_written_and_is_made_anew() {
    let (outlet, times) = (Outlet::default(), AtomicUsize::new(0));
    let first = made(&outlet, 200 * MIB, &times).await;
    let mut second = std::pin::pin!(made(&outlet, 100 * MIB, &times));
    assert!(second.as_mut().now_or_never().is_none(), "it waits");
    assert_eq!(times.load(Ordering::Relaxed), 2);
    let small = made(&outlet, MIB, &times).now_or_never();
    assert!(small.is_some(), "a small one goes past it");
    drop(first);
    assert_eq!(second.await.octets.len(), 100 * MIB);
    assert_eq!(times.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn an_answer_that_is_larger_than_the_room_has_it_alone() {
    let (outlet, times) = (Outlet::default(), AtomicUsize::new(0));
    let all = made(&outlet, 300 * MIB, &times).await;
    assert!(made(&outlet, 3 * MIB, &times).now_or_never().is_none());
    drop(all);
    assert!(made(&outlet, 3 * MIB, &times).now_or_never().is_some());
}

#[tokio::test]
async fn answers_that_cannot_be_made_anew_have_a_room_for_which_nobody_waits() {
    let (outlet, times) = (Outlet::default(), AtomicUsize::new(0));
    let all = outlet.take(BytesMut::zeroed(70 * MIB)).unwrap();
    let full = outlet.take(BytesMut::zeroed(3 * MIB)).unwrap_err();
    assert!(full.to_string().contains("the limit"), "{full}");
    assert!(outlet.take(BytesMut::zeroed(MIB)).is_ok());
    let written = made(&outlet, 200 * MIB, &times).now_or_never();
    assert!(
        written.is_some(),
        "what is written next does not wait for them"
    );
    drop(all);
    assert!(outlet.take(BytesMut::zeroed(3 * MIB)).is_ok());
}
