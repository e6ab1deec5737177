//! The scenarios. Each is about one promise, and looks at nothing else.

use std::{future::Future, pin::Pin, time::Duration};

use standpipe_core::{
    driver::{
        Capabilities, Consumer, Draining, Incoming, OpenOptions, ReceiveLimit, Settlement, Settler,
        Settling,
    },
    id::Millis,
    message::{Message, Value},
};

use super::{Outcome, Subject, subject::Ends};

/// How long a message that must come may take.
const PATIENCE: Duration = Duration::from_secs(10);

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// One promise that a driver makes.
pub struct Scenario {
    /// The promise.
    pub name: &'static str,
    claimed: fn(&Capabilities) -> bool,
    body: for<'a> fn(&'a Trial<'a>) -> Running<'a>,
}

/// A scenario under way.
struct Trial<'a> {
    subject: &'a dyn Subject,
    ends: Ends,
}

macro_rules! scenarios {
    ($($name:ident if $claimed:expr),* $(,)?) => {
        /// All scenarios.
        pub const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: stringify!($name),
            claimed: $claimed,
            body: |trial| Box::pin($name(trial)),
        }),*];
    };
}

scenarios! {
    every_message_has_a_result_of_its_own if |_| true,
    order_is_kept_within_a_batch_and_between_batches if |_| true,
    a_key_arrives if |_| true,
    a_tombstone_is_no_empty_payload if |_| true,
    a_payload_that_is_not_utf8_arrives if |_| true,
    headers_keep_order_duplicates_and_null if |_| true,
    a_timestamp_arrives_to_the_millisecond if |_| true,
    an_acked_message_does_not_come_back if settles,
    an_unsettled_message_comes_to_the_next_consumer if settles,
    a_released_message_comes_back_before_those_behind_it if settles_each,
    a_rejected_message_does_not_come_back if settles_each,
    a_drain_ends_at_what_was_there if drains,
    a_cancelled_receive_loses_nothing if |_| true,
}

impl Scenario {
    /// Runs it on a fresh place, unless the driver does not claim what it is about.
    pub async fn run(&self, subject: &dyn Subject) -> Outcome {
        let ends = subject.fresh().await;
        if !(self.claimed)(&subject.driver().capabilities(&ends.from)) {
            return Outcome::NotClaimed;
        }
        let trial = Trial { subject, ends };
        match (self.body)(&trial).await {
            Ok(()) => Outcome::Passed,
            Err(how) => Outcome::Failed(how),
        }
    }
}

fn settles(capabilities: &Capabilities) -> bool {
    capabilities.settling != Settling::None
}

fn settles_each(capabilities: &Capabilities) -> bool {
    capabilities.settling == Settling::PerMessage
}

fn drains(capabilities: &Capabilities) -> bool {
    capabilities.draining != Draining::None
}

impl Trial<'_> {
    async fn send(&self, messages: Vec<Message>) -> Result<usize, String> {
        let driver = self.subject.driver();
        let mut producer = driver.producer(&self.ends.to).await.map_err(text)?;
        let results = producer.send(messages).await;
        let count = results.len();
        for result in results {
            result.map_err(text)?;
        }
        producer.close().await.map_err(text)?;
        Ok(count)
    }

    async fn open(&self) -> Result<(Box<dyn Consumer>, Box<dyn Settler>), String> {
        let (driver, options) = (self.subject.driver(), OpenOptions::default());
        let opened = driver.consumer(&self.ends.from, &options).await;
        opened.map_err(text)
    }

    async fn read(&self, count: usize) -> Result<Vec<Message>, String> {
        let (mut consumer, _settler) = self.open().await?;
        let taken = take(&mut *consumer, count).await?;
        consumer.close().await.map_err(text)?;
        Ok(taken.into_iter().map(|incoming| incoming.message).collect())
    }

    /// What comes back after one message was sent.
    async fn echo(&self, message: Message) -> Result<Message, String> {
        self.send(vec![message]).await?;
        let mut read = self.read(1).await?;
        read.pop().ok_or_else(|| "nothing came back".into())
    }
}

async fn every_message_has_a_result_of_its_own(trial: &Trial<'_>) -> Result<(), String> {
    let results = trial.send(numbered(0..5)).await?;
    expect("results of 5 messages", &results, &5)
}

async fn order_is_kept_within_a_batch_and_between_batches(trial: &Trial<'_>) -> Result<(), String> {
    trial.send(numbered(0..20)).await?;
    trial.send(numbered(20..40)).await?;
    let read = trial.read(40).await?;
    expect("payloads", &payloads(&read), &payloads(&numbered(0..40)))
}

async fn a_key_arrives(trial: &Trial<'_>) -> Result<(), String> {
    let echo = trial.echo(Message::new("m").with_key("some key")).await?;
    expect("the key", &echo.key.as_deref(), &Some(&b"some key"[..]))
}

async fn a_tombstone_is_no_empty_payload(trial: &Trial<'_>) -> Result<(), String> {
    let key = |message: Message| message.with_key("k");
    trial
        .send(vec![key(Message::default()), key(Message::new(""))])
        .await?;
    let read = trial.read(2).await?;
    expect("payloads", &payloads(&read), &vec![None, Some(Vec::new())])
}

async fn a_payload_that_is_not_utf8_arrives(trial: &Trial<'_>) -> Result<(), String> {
    let octets: Vec<u8> = (0..=255).collect();
    let echo = trial.echo(Message::new(octets.clone())).await?;
    expect(
        "the payload",
        &echo.payload.map(|p| p.to_vec()),
        &Some(octets),
    )
}

async fn headers_keep_order_duplicates_and_null(trial: &Trial<'_>) -> Result<(), String> {
    let sent = [("b", "1"), ("a", "2"), ("b", "3")];
    let message = sent
        .iter()
        .fold(Message::new("m"), |message, (name, value)| {
            message.with_header(*name, *value)
        })
        .with_header("none", Value::Null)
        .with_header("raw", Value::Bytes(vec![0xff, 0x00].into()));
    let echo = trial.echo(message.clone()).await?;
    let own = |message: &Message| -> Vec<_> {
        let names = ["a", "b", "none", "raw"];
        let kept = message
            .headers
            .iter()
            .filter(|(name, _)| names.iter().any(|n| name == n));
        kept.cloned().collect()
    };
    expect("the headers", &own(&echo), &own(&message))
}

async fn a_timestamp_arrives_to_the_millisecond(trial: &Trial<'_>) -> Result<(), String> {
    let mut message = Message::new("m");
    message.props.timestamp = Some(Millis(1_357_034_400_123));
    let echo = trial.echo(message.clone()).await?;
    expect(
        "the timestamp",
        &echo.props.timestamp,
        &message.props.timestamp,
    )
}

async fn an_acked_message_does_not_come_back(trial: &Trial<'_>) -> Result<(), String> {
    trial.send(numbered(0..4)).await?;
    settle_first(trial, 2, 2, Settlement::Ack).await?;
    let rest = trial.read(2).await?;
    expect("the rest", &payloads(&rest), &payloads(&numbered(2..4)))
}

async fn an_unsettled_message_comes_to_the_next_consumer(trial: &Trial<'_>) -> Result<(), String> {
    trial.send(numbered(0..2)).await?;
    trial.read(2).await?;
    let again = trial.read(2).await?;
    expect(
        "what comes again",
        &payloads(&again),
        &payloads(&numbered(0..2)),
    )
}

async fn a_released_message_comes_back_before_those_behind_it(
    trial: &Trial<'_>,
) -> Result<(), String> {
    trial.send(numbered(0..1)).await?;
    let (mut consumer, settler) = trial.open().await?;
    let first = take(&mut *consumer, 1).await?;
    settler
        .settle(vec![(first[0].receipt, Settlement::RELEASE)])
        .await
        .map_err(text)?;
    trial.send(numbered(1..2)).await?;
    let again = take(&mut *consumer, 2).await?;
    let again: Vec<_> = again.into_iter().map(|incoming| incoming.message).collect();
    consumer.close().await.map_err(text)?;
    expect(
        "what comes again",
        &payloads(&again),
        &payloads(&numbered(0..2)),
    )
}

async fn a_rejected_message_does_not_come_back(trial: &Trial<'_>) -> Result<(), String> {
    trial.send(numbered(0..2)).await?;
    settle_first(trial, 1, 1, Settlement::reject("conformance")).await?;
    let rest = trial.read(1).await?;
    expect("the rest", &payloads(&rest), &payloads(&numbered(1..2)))
}

async fn a_drain_ends_at_what_was_there(trial: &Trial<'_>) -> Result<(), String> {
    trial.send(numbered(0..3)).await?;
    let (driver, options) = (trial.subject.driver(), OpenOptions::drain());
    let opened = driver.consumer(&trial.ends.from, &options).await;
    let (mut consumer, settler) = opened.map_err(text)?;
    let taken = take(&mut *consumer, 3).await?;
    let acks = taken
        .iter()
        .map(|incoming| (incoming.receipt, Settlement::Ack));
    settler.settle(acks.collect()).await.map_err(text)?;
    let end = consumer.receive(ReceiveLimit::messages(10));
    let end = tokio::time::timeout(PATIENCE, end).await;
    let end = end
        .map_err(|_| "it does not end".to_owned())?
        .map_err(text)?;
    expect(
        "what comes behind the end",
        &end.map(|more| more.len()),
        &None,
    )
}

async fn a_cancelled_receive_loses_nothing(trial: &Trial<'_>) -> Result<(), String> {
    let (mut consumer, _settler) = trial.open().await?;
    let mut taken = Vec::new();
    for round in 0..20 {
        trial.send(numbered(round..round + 1)).await?;
        let receive = consumer.receive(ReceiveLimit::ONE);
        // Polled a few times and dropped: whatever was on its way must still come.
        if let Some(received) = few_polls(receive, round % 4 + 1).await {
            taken.extend(received.map_err(text)?.unwrap_or_default());
        }
    }
    let left = 20 - taken.len();
    if left > 0 {
        taken.extend(take(&mut *consumer, left).await?);
    }
    consumer.close().await.map_err(text)?;
    let mut read = payloads(&taken.into_iter().map(|i| i.message).collect::<Vec<_>>());
    read.sort();
    let mut sent = payloads(&numbered(0..20));
    sent.sort();
    expect("what came", &read, &sent)
}

/// Polls a future a few times, letting other tasks run in between; `None` where it is not done.
async fn few_polls<T>(future: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        if let std::task::Poll::Ready(value) = futures::poll!(future.as_mut()) {
            return Some(value);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Takes `count` messages, settles the first `settled` of them, and leaves.
async fn settle_first(
    trial: &Trial<'_>,
    count: usize,
    settled: usize,
    settlement: Settlement,
) -> Result<(), String> {
    let (mut consumer, settler) = trial.open().await?;
    let taken = take(&mut *consumer, count).await?;
    let settlements = taken.iter().take(settled);
    let settlements = settlements.map(|incoming| (incoming.receipt, settlement.clone()));
    settler.settle(settlements.collect()).await.map_err(text)?;
    consumer.close().await.map_err(text)
}

async fn take(consumer: &mut dyn Consumer, count: usize) -> Result<Vec<Incoming>, String> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let receive = consumer.receive(ReceiveLimit::messages(count - taken.len()));
        let received = tokio::time::timeout(PATIENCE, receive).await;
        let received = received.map_err(|_| format!("{} of {count} messages came", taken.len()))?;
        let received = received.map_err(text)?;
        taken.extend(received.ok_or_else(|| format!("the end, after {} of {count}", taken.len()))?);
    }
    Ok(taken)
}

fn numbered(numbers: std::ops::Range<u32>) -> Vec<Message> {
    numbers.map(|n| Message::new(format!("{n:04}"))).collect()
}

fn payloads(messages: &[Message]) -> Vec<Option<Vec<u8>>> {
    let payloads = messages.iter().map(|message| message.payload.as_ref());
    payloads
        .map(|payload| payload.map(|octets| octets.to_vec()))
        .collect()
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, should: &T) -> Result<(), String> {
    if is == should {
        return Ok(());
    }
    Err(format!("{what}: {is:?}, and not {should:?}"))
}

fn text(error: standpipe_core::Error) -> String {
    error.to_string()
}
