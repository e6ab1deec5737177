//! The pipe's promises, with ends that fail on demand.

mod ends;
mod fake;
mod flow;

use std::{num::NonZeroUsize, time::Duration};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use self::fake::{FakeDestination, FakeSource, number, numbered};
use super::{Builder, FirstOpen, Limits, OnRefused, Order, Pipe, State, Summary};
use crate::{
    driver::{Outcome, Settlement, Settling, Transform, Until},
    error::{Error, ErrorKind, Result},
    layer::TokenBucket,
    message::{Message, Value},
};

fn pipe(source: &FakeSource, destination: &FakeDestination) -> Builder {
    Pipe::builder()
        .from_source(source.clone())
        .settling(Settling::PerMessage)
        .until(Until::End)
        .to_destination(destination.clone())
}

async fn run(builder: Builder) -> Result<Summary> {
    builder.build()?.run(CancellationToken::new()).await
}

fn refuse(kind: ErrorKind, which: u64) -> impl Fn(u64, u32) -> Result<()> {
    move |n, _| match n == which {
        true => Err(Error::new(kind, "send", format!("{n} is refused"))),
        false => Ok(()),
    }
}

/// Fails a message the first time it is sent.
fn fail_once(kind: ErrorKind, which: u64) -> impl Fn(u64, u32) -> Result<()> {
    move |n, attempt| match n == which && attempt == 1 {
        true => Err(Error::new(kind, "send", format!("{n} failed"))),
        false => Ok(()),
    }
}

fn all(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_arrives_in_order_and_is_settled_after_its_confirm() {
    let source = FakeSource::new(numbered(5_000, 1));
    let destination = FakeDestination::new(|_, _| Ok(()));
    source.settles_only_what(&destination);
    let summary = run(pipe(&source, &destination)).await.unwrap();
    assert_eq!((summary.moved, summary.sent), (5_000, 5_000));
    assert_eq!(destination.arrived(), all(5_000));
    assert_eq!(source.acked(), all(5_000));
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_the_one_too_large_is_held_and_999_arrive_once_in_order() {
    let source = FakeSource::new(numbered(1_000, 1)).ends_only_when_settled();
    let destination = FakeDestination::new(refuse(ErrorKind::TooLarge, 500));
    let summary = run(pipe(&source, &destination)).await.unwrap();
    let others: Vec<_> = all(1_000).into_iter().filter(|n| *n != 500).collect();
    assert_eq!(destination.arrived(), others);
    assert_eq!(source.acked(), others);
    assert_eq!(source.given_back(), [500]);
    assert_eq!((summary.held, summary.moved), (1, 999));
}

#[tokio::test(start_paused = true)]
async fn the_one_too_large_is_rejected_where_the_policy_says_so() {
    let source = FakeSource::new(numbered(10, 1)).ends_only_when_settled();
    let destination = FakeDestination::new(refuse(ErrorKind::TooLarge, 5));
    let builder = pipe(&source, &destination).on_refused(OnRefused::Reject);
    let summary = run(builder).await.unwrap();
    assert_eq!((summary.rejected, summary.held), (1, 0));
    assert!(matches!(
        source.settlement(5),
        Some(Settlement::Reject { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_dead_lettered_with_its_reasons() {
    let source = FakeSource::new(numbered(10, 1));
    let destination = FakeDestination::new(refuse(ErrorKind::TooLarge, 5));
    let dead = FakeDestination::new(fail_once(ErrorKind::Disconnected, 5));
    let builder = pipe(&source, &destination)
        .name("flights")
        .dead_letters_destination(dead.clone());
    let summary = run(builder).await.unwrap();
    assert_eq!((summary.dead_lettered, summary.moved), (1, 10));
    let letter = dead.messages().remove(0);
    assert_eq!(number(&letter), 5);
    let header = |name: &str| letter.headers.get(name).cloned();
    assert_eq!(header("x-standpipe-dead-reason"), Some("TooLarge".into()));
    assert_eq!(
        header("x-standpipe-dead-error"),
        Some("send: 5 is refused".into())
    );
    assert_eq!(header("x-standpipe-dead-route"), Some("flights".into()));
    assert_eq!(header("x-standpipe-dead-attempts"), Some(Value::U32(1)));
}

#[tokio::test(start_paused = true)]
async fn a_failed_suffix_is_sent_again_in_order_while_other_lanes_pass() {
    let source = FakeSource::new(numbered(100, 2));
    let destination = FakeDestination::new(fail_once(ErrorKind::Transient, 10)).stops_at_failure();
    let summary = run(pipe(&source, &destination)).await.unwrap();
    let arrived = destination.arrived();
    let lane = |odd: u64| arrived.iter().copied().filter(move |n| n % 2 == odd);
    assert!(lane(0).eq((0..100).step_by(2)) && lane(1).eq((1..100).step_by(2)));
    assert!(summary.retried >= 1 && summary.duplicates == 0);
    assert_eq!(summary.moved, 100);
}

#[tokio::test(start_paused = true)]
async fn a_lane_on_hold_does_not_stop_another() {
    let source = FakeSource::new(numbered(100, 2)).never_ends();
    let destination = FakeDestination::new(refuse(ErrorKind::Transient, 10));
    let pipe = pipe(&source, &destination).build().unwrap();
    let (mut state, shutdown) = (pipe.state(), CancellationToken::new());
    let running = tokio::spawn(pipe.run(shutdown.clone()));
    state
        .wait_for(|s| matches!(s, State::Retrying { .. }))
        .await
        .unwrap();
    destination
        .wait_for(|arrived| arrived.iter().filter(|n| **n % 2 == 1).count() == 50)
        .await;
    shutdown.cancel();
    let summary = running.await.unwrap().unwrap();
    assert_eq!(summary.moved, 99);
    assert_eq!(source.given_back(), [10]);
}

#[tokio::test(start_paused = true)]
async fn total_order_holds_everything_behind_a_retry() {
    let source = FakeSource::new(numbered(100, 4));
    let destination = FakeDestination::new(fail_once(ErrorKind::Transient, 10)).stops_at_failure();
    run(pipe(&source, &destination).order(Order::Total))
        .await
        .unwrap();
    assert_eq!(destination.arrived(), all(100));
}

#[tokio::test(start_paused = true)]
async fn a_lost_confirm_is_sent_again_and_counted_as_a_duplicate() {
    let source = FakeSource::new(numbered(10, 1));
    let destination =
        FakeDestination::new(fail_once(ErrorKind::Unknown, 3)).applies_what_it_does_not_confirm();
    let summary = run(pipe(&source, &destination)).await.unwrap();
    assert_eq!(summary.duplicates, 1);
    assert_eq!(destination.arrived().iter().filter(|n| **n == 3).count(), 2);
    assert_eq!(source.acked(), all(10));
}

#[tokio::test(start_paused = true)]
async fn both_ends_are_opened_again_after_a_disconnect() {
    let source = FakeSource::new(numbered(1_000, 1)).disconnects_after(300);
    let destination = FakeDestination::new(fail_once(ErrorKind::Disconnected, 500));
    let summary = run(pipe(&source, &destination)).await.unwrap();
    assert_eq!(source.acked(), all(1_000));
    assert_eq!(summary.moved, 1_000);
    assert_eq!((source.opened(), destination.opened()), (2, 2));
    let mut arrived = destination.arrived();
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived, all(1_000));
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_while_the_destination_hangs() {
    let source = FakeSource::new(numbered(10_000, 1));
    let destination = FakeDestination::new(|_, _| Ok(())).hangs();
    let limits = Limits {
        bytes: 100_000,
        ..Limits::default()
    };
    let pipe = pipe(&source, &destination).limits(limits).build().unwrap();
    let counts = pipe.counts();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(pipe.run(shutdown.clone()));
    destination.wait_until_it_hangs().await;
    tokio::time::advance(Duration::from_secs(60)).await;
    // Far more than what they carry, 8 bytes each: small messages take memory too.
    let taken = counts.read().received;
    assert!(
        taken > 0 && (taken - 1) * 2_048 <= 100_000,
        "{taken} messages were taken in"
    );
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(source.acked(), Vec::<u64>::new());
    assert_eq!(source.given_back().len() as u64, counts.read().received);
}

struct Split;

#[async_trait]
impl Transform for Split {
    async fn apply(&self, batch: Vec<Message>) -> Result<Vec<Outcome>> {
        let outcome = |message: Message| match number(&message) % 3 {
            0 => Outcome::Drop,
            1 => Outcome::Many(vec![message.clone(), message]),
            _ => Outcome::One(message),
        };
        Ok(batch.into_iter().map(outcome).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn transforms_drop_and_split_and_a_source_message_waits_for_all_its_parts() {
    let source = FakeSource::new(numbered(9, 1));
    let destination = FakeDestination::new(fail_once(ErrorKind::Transient, 4));
    source.settles_only_what(&destination);
    let builder = pipe(&source, &destination)
        .transform(Split)
        .transform(Split);
    let summary = run(builder).await.unwrap();
    assert_eq!((summary.dropped, summary.moved), (3, 9));
    let mut arrived = destination.arrived();
    arrived.sort_unstable();
    assert_eq!(arrived, [1, 1, 1, 1, 2, 4, 4, 4, 4, 5, 7, 7, 7, 7, 8]);
}

struct Broken;

#[async_trait]
impl Transform for Broken {
    async fn apply(&self, _: Vec<Message>) -> Result<Vec<Outcome>> {
        Err(Error::new(ErrorKind::Permanent, "filter", "exit code 3"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_transform_stops_the_pipe_and_says_why() {
    let source = FakeSource::new(numbered(9, 1));
    let destination = FakeDestination::new(|_, _| Ok(()));
    let pipe = pipe(&source, &destination)
        .transform(Broken)
        .build()
        .unwrap();
    let state = pipe.state();
    let error = pipe.run(CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "filter: exit code 3");
    assert_eq!(state.borrow().to_string(), "stopped (filter: exit code 3)");
    assert_eq!(source.acked(), Vec::<u64>::new());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_without_tokens_blocks_the_pipe_and_loses_nothing() {
    let source = FakeSource::new(numbered(50, 1));
    let destination = FakeDestination::new(|_, _| Ok(()));
    let builder = pipe(&source, &destination).layer(TokenBucket::per_second(10));
    let pipe = builder.build().unwrap();
    let mut state = pipe.state();
    let running = tokio::spawn(pipe.run(CancellationToken::new()));
    state
        .wait_for(|s| matches!(s, State::Blocked { .. }))
        .await
        .unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(destination.arrived(), all(50));
}

#[tokio::test(start_paused = true)]
async fn a_cumulative_source_is_never_acked_past_what_was_refused() {
    let source = FakeSource::new(numbered(10, 1));
    let destination = FakeDestination::new(refuse(ErrorKind::TooLarge, 5));
    let builder = pipe(&source, &destination).settling(Settling::Cumulative);
    let error = run(builder).await.unwrap_err();
    assert!(error.to_string().contains("5 is refused"), "{error}");
    assert_eq!(source.acked(), all(5));
}

#[tokio::test(start_paused = true)]
async fn what_is_confirmed_behind_a_refusal_that_stops_the_pipe_is_settled() {
    let source = FakeSource::new(numbered(10, 1));
    let destination = FakeDestination::new(refuse(ErrorKind::TooLarge, 3));
    let builder = pipe(&source, &destination).on_refused(OnRefused::Stop);
    let error = run(builder).await.unwrap_err();
    assert!(error.to_string().contains("3 is refused"), "{error}");
    let others: Vec<_> = all(10).into_iter().filter(|n| *n != 3).collect();
    assert_eq!(source.acked(), others);
    assert_eq!(source.given_back(), [3]);
}

/// Works longer on a batch than a drain waits beside what it holds.
struct SlowFilter;

#[async_trait]
impl Transform for SlowFilter {
    async fn apply(&self, batch: Vec<Message>) -> Result<Vec<Outcome>> {
        let done = tokio::time::Instant::now() + Duration::from_secs(5);
        tokio::time::sleep_until(done).await;
        Ok(batch.into_iter().map(Outcome::One).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_holds_one_message_waits_for_what_the_transforms_work_on() {
    let source = FakeSource::new(numbered(20, 1)).ends_only_when_settled();
    let destination = FakeDestination::new(refuse(ErrorKind::TooLarge, 0));
    let limits = Limits {
        batch: NonZeroUsize::MIN,
        overlap: NonZeroUsize::MIN,
        ..Limits::default()
    };
    let builder = pipe(&source, &destination)
        .transform(SlowFilter)
        .limits(limits);
    let summary = run(builder).await.unwrap();
    assert_eq!((summary.held, summary.moved), (1, 19));
    assert_eq!(source.given_back(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_for_good_lets_what_came_before_arrive_first() {
    let source = FakeSource::new(numbered(500, 1)).fails_after(300);
    let destination = FakeDestination::new(fail_once(ErrorKind::Transient, 10)).stops_at_failure();
    let error = run(pipe(&source, &destination)).await.unwrap_err();
    assert_eq!(error.to_string(), "receive: line 301 is no envelope");
    assert_eq!(destination.arrived(), all(300));
    assert_eq!(source.acked(), all(300));
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_not_there_ends_a_pipe_that_insists() {
    let source = FakeSource::new(numbered(10, 1));
    let destination = FakeDestination::new(|_, _| Ok(())).cannot_be_opened();
    let builder = pipe(&source, &destination).first_open(FirstOpen::Insist);
    let error = run(builder).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert_eq!(source.opened(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_pipe_stops_at_once() {
    let source = FakeSource::new(numbered(3, 1)).never_ends();
    let destination = FakeDestination::new(|_, _| Ok(()));
    let pipe = pipe(&source, &destination).build().unwrap();
    let (state, shutdown) = (pipe.state(), CancellationToken::new());
    let running = tokio::spawn(pipe.run(shutdown.clone()));
    destination.wait_for(|arrived| arrived.len() == 3).await;
    source.wait_for_acks(3).await;
    let before = tokio::time::Instant::now();
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert!(before.elapsed() < Duration::from_millis(10));
    assert_eq!(state.borrow().name(), "stopped");
}
