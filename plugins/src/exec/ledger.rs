//! What a child was given, what came back, and what is done: a pure state machine.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{
    driver::Outcome,
    envelope,
    error::{Error, ErrorKind, Result},
    message::{Annotations, Message},
};
use tokio::sync::oneshot;

use super::{Batch, Framing};
use crate::Settings;

/// Messages between their way in and their outcome, oldest first.
pub(super) struct Ledger {
    framing: Framing,
    /// What the answers to one message may come to.
    settings: Settings,
    next: u64,
    waiting: VecDeque<Waiting>,
    batches: VecDeque<Answer>,
}

/// A batch whose outcomes come together.
struct Answer {
    left: usize,
    outcomes: Vec<Outcome>,
    reply: oneshot::Sender<Result<Vec<Outcome>>>,
}

enum Waiting {
    /// The child was not asked.
    Decided(Outcome),
    /// A line is out; `answers` came back so far, in lines of `bytes`.
    Envelope {
        seq: u64,
        annotations: Annotations,
        answers: Vec<Message>,
        bytes: usize,
    },
    /// A payload is out; the message is the rest.
    Line(Message),
}

impl Ledger {
    pub(super) fn new(framing: Framing, settings: Settings) -> Self {
        Self {
            framing,
            settings,
            next: 0,
            waiting: VecDeque::new(),
            batches: VecDeque::new(),
        }
    }

    /// Takes in a batch, and appends the lines that are to be written.
    pub(super) fn give(&mut self, batch: Batch, out: &mut BytesMut) {
        self.batches.push_back(Answer {
            left: batch.messages.len(),
            outcomes: Vec::with_capacity(batch.messages.len()),
            reply: batch.reply,
        });
        for message in batch.messages {
            let waiting = match self.framing {
                Framing::Envelopes => self.give_envelope(message, out),
                Framing::Lines => give_line(message, out),
            };
            self.waiting.push_back(waiting);
        }
        self.advance();
    }

    fn give_envelope(&mut self, message: Message, out: &mut BytesMut) -> Waiting {
        let seq = self.next;
        let mut line = Vec::with_capacity(message.size() + 256);
        if let Err(error) = envelope::encode_with_seq(&seq.to_string(), &message, &mut line) {
            return Waiting::Decided(Outcome::Failed(error));
        }
        self.next += 1;
        out.put_slice(&line);
        Waiting::Envelope {
            seq,
            annotations: message.annotations,
            answers: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes in a line from the child.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn take(&mut self, line: Bytes) -> Result<(), String> {
        match self.framing {
            Framing::Envelopes => self.take_envelope(&line),
            Framing::Lines => self.take_line(line),
        }
    }

    fn take_envelope(&mut self, line: &[u8]) -> Result<(), String> {
        let shown = || String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        let (seq, mut message) = envelope::decode_with_seq(line)
            .map_err(|error| format!("it wrote `{}`: {error}", shown()))?;
        let seq = seq.ok_or_else(|| format!("it wrote a line without a seq: `{}`", shown()))?;
        let number: Option<u64> = seq.parse().ok();
        let known = number.filter(|n| self.oldest().is_some_and(|oldest| oldest <= *n));
        let known = known.filter(|n| *n < self.next);
        let number = known.ok_or_else(|| format!("it wrote the seq `{seq}`, which is not open"))?;
        // Order is kept, so what is older is done.
        while self.oldest().is_some_and(|oldest| oldest < number) {
            self.finish_first();
        }
        if let Some(Waiting::Envelope {
            annotations,
            answers,
            bytes,
            ..
        }) = self.waiting.front_mut()
        {
            *bytes += line.len();
            let Settings {
                output_bytes,
                child_messages,
                ..
            } = self.settings;
            if answers.len() == child_messages || *bytes > output_bytes {
                return Err(format!(
                    "it makes more than {child_messages} messages or {output_bytes} bytes of one"
                ));
            }
            message.annotations = annotations.clone();
            answers.push(message);
        }
        Ok(())
    }

    fn oldest(&self) -> Option<u64> {
        match self.waiting.front() {
            Some(Waiting::Envelope { seq, .. }) => Some(*seq),
            _ => None,
        }
    }

    fn take_line(&mut self, line: Bytes) -> Result<(), String> {
        let Some(Waiting::Line(message)) = self.waiting.front_mut() else {
            return Err("it wrote a line more than it was given".to_owned());
        };
        message.payload = Some(line);
        self.finish_first();
        Ok(())
    }

    /// The child has read everything and ended well: what is open is done.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn end(&mut self) -> Result<(), String> {
        if self.framing == Framing::Lines && self.is_open() {
            let missing = self.waiting.len();
            return Err(format!("it wrote {missing} lines fewer than it was given"));
        }
        while self.is_open() {
            self.finish_first();
        }
        Ok(())
    }

    /// Whether the child owes something.
    pub(super) fn is_open(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Answers everything with an error.
    pub(super) fn fail(&mut self, error: &Error) {
        self.waiting.clear();
        for batch in self.batches.drain(..) {
            drop(batch.reply.send(Err(error.clone())));
        }
    }

    fn finish_first(&mut self) {
        let outcome = match self.waiting.pop_front() {
            None => return,
            Some(Waiting::Decided(outcome)) => outcome,
            Some(Waiting::Line(message)) => Outcome::One(message),
            Some(Waiting::Envelope { mut answers, .. }) => match answers.len() {
                0 => Outcome::Drop,
                1 => Outcome::One(answers.remove(0)),
                _ => Outcome::Many(answers),
            },
        };
        self.decide(outcome);
        self.advance();
    }

    /// Passes what the child was not asked about, once it is the oldest.
    fn advance(&mut self) {
        while let Some(Waiting::Decided(_)) = self.waiting.front() {
            if let Some(Waiting::Decided(outcome)) = self.waiting.pop_front() {
                self.decide(outcome);
            }
        }
    }

    /// Answers the batches that are full. To be called when all that was read is taken in, so that
    /// a line too many spoils what it came with.
    pub(super) fn answer(&mut self) {
        while self.batches.front().is_some_and(|batch| batch.left == 0) {
            if let Some(batch) = self.batches.pop_front() {
                // Nobody may be waiting any more; that is theirs to know.
                drop(batch.reply.send(Ok(batch.outcomes)));
            }
        }
    }

    /// The outcome of the oldest message, which is of the first batch that is not full.
    fn decide(&mut self, outcome: Outcome) {
        let mut open = self.batches.iter_mut().filter(|batch| batch.left > 0);
        if let Some(batch) = open.next() {
            batch.outcomes.push(outcome);
            batch.left -= 1;
        }
    }
}

fn give_line(message: Message, out: &mut BytesMut) -> Waiting {
    let Some(payload) = &message.payload else {
        return Waiting::Decided(Outcome::One(message));
    };
    if payload.contains(&b'\n') {
        let problem = "the payload has a line break; use exec, which gives whole envelopes";
        let error = Error::new(ErrorKind::Invalid, "exec lines", problem);
        return Waiting::Decided(Outcome::Failed(error));
    }
    out.put_slice(payload);
    out.put_u8(b'\n');
    Waiting::Line(message)
}
