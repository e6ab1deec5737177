//! What one event brings along and leaves behind.

use super::{Caller, Effect, Joined, Options, Refusal, Synced};
use crate::id::Millis;

/// One event's turn: when it is, what is allowed, and what has to be done for it.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) now: Millis,
    pub(super) options: &'a Options,
    pub(super) effects: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    pub(super) fn answer_join(&mut self, caller: Caller, reply: Result<Joined, Refusal>) {
        self.effects.push(Effect::Join { caller, reply });
    }

    pub(super) fn answer_sync(&mut self, caller: Caller, reply: Result<Synced, Refusal>) {
        self.effects.push(Effect::Sync { caller, reply });
    }
}
