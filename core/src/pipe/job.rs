//! A batch on its way through the transforms.

use std::sync::Arc;

use super::budget::cost;
use crate::{
    driver::{Incoming, Outcome, ReceiptToken, Transform},
    error::{Error, ErrorKind, Result},
    message::Message,
};

/// Source messages and what has become of each.
pub(super) struct Job(pub(super) Vec<Piece>);

/// One source message and what has become of it.
pub(super) struct Piece {
    pub(super) receipt: ReceiptToken,
    /// Bytes that it counts for in the budget.
    pub(super) bytes: usize,
    /// As it was, where a dead letter may be made of it.
    pub(super) original: Option<Message>,
    pub(super) outcome: Outcome,
}

impl Job {
    pub(super) fn new(batch: Vec<Incoming>, keep_originals: bool) -> Self {
        let pieces = batch.into_iter().map(|incoming| Piece {
            receipt: incoming.receipt,
            bytes: cost(&incoming.message),
            original: keep_originals.then(|| incoming.message.clone()),
            outcome: Outcome::One(incoming.message),
        });
        Self(pieces.collect())
    }

    /// Applies one transform to all that is left.
    pub(super) async fn transform(mut self, transform: Arc<dyn Transform>) -> Result<Self> {
        let mut batch = Vec::with_capacity(self.0.len());
        let mut shapes = Vec::with_capacity(self.0.len());
        for piece in &mut self.0 {
            let before = batch.len();
            match std::mem::replace(&mut piece.outcome, Outcome::Drop) {
                Outcome::One(message) => batch.push(message),
                Outcome::Many(messages) => batch.extend(messages),
                over => piece.outcome = over,
            }
            shapes.push(batch.len() - before);
        }
        let count = batch.len();
        if count == 0 {
            return Ok(self);
        }
        let outcomes = transform.apply(batch).await?;
        if outcomes.len() != count {
            let message = format!("{} outcomes for {count} messages", outcomes.len());
            return Err(Error::new(ErrorKind::Permanent, "transform", message));
        }
        let mut outcomes = outcomes.into_iter();
        for (piece, shape) in self.0.iter_mut().zip(shapes) {
            if shape > 0 {
                piece.outcome = merge(outcomes.by_ref().take(shape).collect());
            }
        }
        Ok(self)
    }
}

/// What became of the messages of one source message: one failure fails it.
fn merge(mut outcomes: Vec<Outcome>) -> Outcome {
    if outcomes.len() == 1 {
        return outcomes.remove(0);
    }
    let mut messages = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        match outcome {
            Outcome::One(message) => messages.push(message),
            Outcome::Many(more) => messages.extend(more),
            Outcome::Drop => {}
            Outcome::Failed(error) => return Outcome::Failed(error),
        }
    }
    Outcome::Many(messages)
}
