//! Sending.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{
    super::{Outcome, Publication, PublishRequest},
    Guard, disconnected, end_of_stream, from_remote,
};
use crate::{
    driver::Producer,
    error::{Error, ErrorKind, Result},
    message::{Message, PARTS_LIMIT},
};

/// Outcomes as they arrive, in order; an error is the last.
pub type OutcomeSource = mpsc::Receiver<Result<Vec<Outcome>>>;

/// Octets of one request, unless a single message is larger.
const REQUEST_BYTES: usize = 1 << 20;
/// Messages of one request.
const REQUEST_MESSAGES: usize = 1024;

/// A [`Producer`] that has all of a batch on its way before it waits.
pub struct ClientProducer {
    requests: Option<mpsc::Sender<PublishRequest>>,
    outcomes: OutcomeSource,
    next_sequence: u64,
    end: Option<Error>,
    guard: Option<Guard>,
}

impl ClientProducer {
    /// A producer over a stream whose destination the adapter has named already.
    pub fn new(
        requests: mpsc::Sender<PublishRequest>,
        outcomes: OutcomeSource,
        guard: Guard,
    ) -> Self {
        Self {
            requests: Some(requests),
            outcomes,
            next_sequence: 0,
            end: None,
            guard: Some(guard),
        }
    }

    /// Sends and collects at the same time, so that neither side waits for the other.
    async fn exchange(&mut self, batch: Vec<Message>) -> Sending {
        let mut sending = Sending::new(self.next_sequence, &batch);
        self.next_sequence += batch.len() as u64;
        let mut rest = requests(sending.first, batch).into_iter().peekable();
        while sending.waits() {
            let sender = self.requests.as_ref().filter(|_| rest.peek().is_some());
            tokio::select! {
                permit = reserve(sender), if sender.is_some() => {
                    let (Some(permit), Some(request)) = (permit, rest.next()) else {
                        // What was confirmed before the end stays confirmed.
                        while let Ok(Ok(outcomes)) = self.outcomes.try_recv() {
                            sending.answered(outcomes);
                        }
                        self.end.get_or_insert(disconnected("send"));
                        break;
                    };
                    sending.sent = sending.until(&request);
                    permit.send(request);
                }
                outcomes = self.outcomes.recv() => match outcomes {
                    Some(Ok(outcomes)) => sending.answered(outcomes),
                    other => {
                        let error = other.and_then(Result::err).map(end_of_stream);
                        self.end.get_or_insert_with(|| error.unwrap_or_else(|| disconnected("send")));
                        break;
                    }
                },
            }
        }
        sending
    }
}

#[async_trait]
impl Producer for ClientProducer {
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
        if self.requests.is_none() {
            let message = "this producer was closed";
            let error = Error::new(ErrorKind::Closed, "send", message);
            return batch.iter().map(|_| Err(error.clone())).collect();
        }
        if let Some(error) = &self.end {
            return batch.iter().map(|_| Err(error.clone())).collect();
        }
        let sending = self.exchange(batch).await;
        sending.results(self.end.as_ref())
    }

    async fn close(&mut self) -> Result<()> {
        self.requests = None;
        self.guard = None;
        Ok(())
    }
}

/// A batch under way.
struct Sending {
    first: u64,
    sent: usize,
    results: Vec<Option<Result<()>>>,
    open: usize,
}

impl Sending {
    /// What the broker would have to end the stream for is refused already.
    fn new(first: u64, batch: &[Message]) -> Self {
        let refused = |message: &Message| message.check_parts("send").err().map(Err);
        let results: Vec<_> = batch.iter().map(refused).collect();
        Self {
            first,
            sent: 0,
            open: results.iter().filter(|result| result.is_none()).count(),
            results,
        }
    }

    /// How many messages are sent once `request` is.
    fn until(&self, request: &PublishRequest) -> usize {
        let last = request.messages.last();
        let behind = last.map(|last| last.sequence.saturating_sub(self.first) + 1);
        behind.map_or(self.sent, |n| usize::try_from(n).unwrap_or(usize::MAX))
    }

    fn waits(&self) -> bool {
        self.open > 0
    }

    /// Outcomes of an earlier batch whose caller did not wait are passed over.
    fn answered(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            let at = outcome.sequence.checked_sub(self.first);
            let slot = at.and_then(|at| self.results.get_mut(usize::try_from(at).ok()?));
            if let Some(slot @ None) = slot {
                let result = outcome.result.map_err(from_remote);
                *slot = Some(result.and_then(|published| routed(published.routed)));
                self.open -= 1;
            }
        }
    }

    fn results(self, end: Option<&Error>) -> Vec<Result<()>> {
        let sent = self.sent;
        let results = self.results.into_iter().enumerate();
        let results = results.map(|(at, result)| {
            result.unwrap_or_else(|| {
                let cause = end.map_or_else(|| disconnected("send"), Clone::clone);
                Err(if at < sent { unknown(&cause) } else { cause })
            })
        });
        results.collect()
    }
}

/// A message that an exchange routed nowhere is not kept anywhere.
fn routed(count: u32) -> Result<()> {
    if count > 0 {
        return Ok(());
    }
    let message = "no queue or topic is bound to the exchange for this message; bind one";
    Err(Error::new(ErrorKind::Permanent, "send", message))
}

fn unknown(cause: &Error) -> Error {
    let message = format!(
        "sent, and not confirmed before the end: {}",
        cause.message()
    );
    Error::new(ErrorKind::Unknown, "send", message)
}

fn requests(first: u64, batch: Vec<Message>) -> Vec<PublishRequest> {
    let mut requests = Vec::<PublishRequest>::new();
    let (mut bytes, mut parts) = (0, 0);
    let acceptable = |(_, message): &(u64, Message)| message.parts() <= PARTS_LIMIT;
    for (sequence, message) in (first..).zip(batch).filter(acceptable) {
        bytes += message.size();
        parts += message.parts();
        let full = |request: &PublishRequest| request.messages.len() >= REQUEST_MESSAGES;
        let over = bytes > REQUEST_BYTES || parts > PARTS_LIMIT;
        if over || requests.last().is_none_or(full) {
            requests.push(PublishRequest::default());
            (bytes, parts) = (message.size(), message.parts());
        }
        if let Some(request) = requests.last_mut() {
            request.messages.push(Publication { sequence, message });
        }
    }
    requests
}

async fn reserve(
    sender: Option<&mpsc::Sender<PublishRequest>>,
) -> Option<mpsc::Permit<'_, PublishRequest>> {
    sender?.reserve().await.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{message::Value, session::Published};

    fn ok(sequence: u64) -> Outcome {
        Outcome {
            sequence,
            result: Ok(Published {
                routed: 1,
                placed: None,
            }),
        }
    }

    #[tokio::test]
    async fn one_refused_message_leaves_the_others_confirmed() {
        let (requests, mut sent) = mpsc::channel(1);
        let (outcomes, source) = mpsc::channel(1);
        let mut producer = ClientProducer::new(requests, source, Arc::new(()));
        let server = async {
            let request: PublishRequest = sent.recv().await.unwrap();
            assert_eq!(request.messages.len(), 3);
            let error = Error::new(ErrorKind::TooLarge, "publish", "too large");
            let refused = Outcome {
                sequence: 1,
                result: Err(error),
            };
            let batch = vec![ok(0), refused, ok(2)];
            outcomes.send(Ok(batch)).await.unwrap();
        };
        let batch = vec![Message::new("a"); 3];
        let (results, ()) = tokio::join!(producer.send(batch), server);
        let kinds: Vec<_> = results
            .iter()
            .map(|result| result.as_ref().err().map(Error::kind))
            .collect();
        assert_eq!(kinds, [None, Some(ErrorKind::TooLarge), None]);
    }

    /// Of a batch under way when the stream ends, and of the next.
    async fn kinds_around_an_end(end: ErrorKind) -> [ErrorKind; 2] {
        let (requests, mut sent) = mpsc::channel(1);
        let (outcomes, source) = mpsc::channel(1);
        let mut producer = ClientProducer::new(requests, source, Arc::new(()));
        let server = async {
            let _: PublishRequest = sent.recv().await.unwrap();
            let error = Error::new(end, "publish", "ended");
            outcomes.send(Err(error)).await.unwrap();
        };
        let batch = || vec![Message::new("a")];
        let (under_way, ()) = tokio::join!(producer.send(batch()), server);
        let next = producer.send(batch()).await;
        [under_way, next].map(|results| results[0].as_ref().unwrap_err().kind())
    }

    #[tokio::test]
    async fn a_stream_that_broke_for_any_reason_is_gone_for_the_next_batch() {
        for end in [
            ErrorKind::Unknown,
            ErrorKind::Transient,
            ErrorKind::Throttled,
            ErrorKind::Closed,
        ] {
            let kinds = kinds_around_an_end(end).await;
            let expected = [ErrorKind::Unknown, ErrorKind::Disconnected];
            assert_eq!(kinds, expected, "{end:?}");
        }
        let kinds = kinds_around_an_end(ErrorKind::Denied).await;
        assert_eq!(kinds, [ErrorKind::Unknown, ErrorKind::Denied]);
    }

    #[tokio::test]
    async fn a_broker_that_refuses_because_it_closes_is_gone_like_any_other() {
        let (requests, mut sent) = mpsc::channel(1);
        let (outcomes, source) = mpsc::channel(1);
        let mut producer = ClientProducer::new(requests, source, Arc::new(()));
        let server = async {
            let _: PublishRequest = sent.recv().await.unwrap();
            let closed = Error::new(ErrorKind::Closed, "commit", "the store failed");
            let refused = Outcome {
                sequence: 0,
                result: Err(closed),
            };
            outcomes.send(Ok(vec![refused])).await.unwrap();
        };
        let (results, ()) = tokio::join!(producer.send(vec![Message::new("a")]), server);
        let refused = results[0].as_ref().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Disconnected);
    }

    fn with_headers(count: usize) -> Message {
        let headers = std::iter::repeat_n(("".into(), Value::Null), count);
        Message {
            headers: headers.collect(),
            ..Message::default()
        }
    }

    #[test]
    fn a_request_stays_below_the_limit_of_what_is_decoded_together() {
        let batch = vec![with_headers(PARTS_LIMIT / 4); 3];
        let counts: Vec<_> = requests(0, batch)
            .iter()
            .map(|r| r.messages.len())
            .collect();
        assert_eq!(counts, [1, 1, 1]);
    }

    #[tokio::test]
    async fn a_message_of_too_many_headers_is_refused_alone() {
        let (requests, mut sent) = mpsc::channel(1);
        let (outcomes, source) = mpsc::channel(1);
        let mut producer = ClientProducer::new(requests, source, Arc::new(()));
        let server = async {
            let request: PublishRequest = sent.recv().await.unwrap();
            let sequences: Vec<_> = request.messages.iter().map(|m| m.sequence).collect();
            assert_eq!(sequences, [0, 2]);
            outcomes.send(Ok(vec![ok(0), ok(2)])).await.unwrap();
        };
        let batch = vec![
            with_headers(1),
            with_headers(PARTS_LIMIT / 2),
            with_headers(1),
        ];
        let (results, ()) = tokio::join!(producer.send(batch), server);
        assert!(results[0].is_ok() && results[2].is_ok());
        let refused = results[1].as_ref().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        assert!(refused.message().contains("262144"), "{refused}");
    }

    #[tokio::test]
    async fn what_was_sent_and_not_confirmed_is_unknown_and_the_rest_was_not_applied() {
        let (requests, mut sent) = mpsc::channel(1);
        let (outcomes, source) = mpsc::channel(1);
        let mut producer = ClientProducer::new(requests, source, Arc::new(()));
        let batch = vec![Message::new("a"); 2 * REQUEST_MESSAGES + 5];
        let server = async {
            let _: PublishRequest = sent.recv().await.unwrap();
            outcomes.send(Ok(vec![ok(0)])).await.unwrap();
            drop((sent, outcomes));
        };
        let (results, ()) = tokio::join!(producer.send(batch), server);
        let kind = |at: usize| results[at].as_ref().err().map(Error::kind);
        assert_eq!(kind(0), None);
        assert_eq!(kind(1), Some(ErrorKind::Unknown));
        assert_eq!(kind(results.len() - 1), Some(ErrorKind::Disconnected));
        let again = producer.send(vec![Message::new("b")]).await;
        assert_eq!(
            again[0].as_ref().unwrap_err().kind(),
            ErrorKind::Disconnected
        );
    }
}
