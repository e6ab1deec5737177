//! One member of a group.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{Caller, InstanceId, Join, MemberId, Protocol, Refusal, turn::Turn};
use crate::id::Millis;

/// A member: what it said when it joined, and which of its requests wait.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) instance_id: Option<InstanceId>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    pub(super) joining: Option<Caller>,
    pub(super) syncing: Option<Caller>,
    /// Not yet part of any generation.
    pub(super) is_new: bool,
    /// When it is taken for gone, unless it is heard of.
    pub(super) deadline: Millis,
}

impl Member {
    pub(super) fn new(id: MemberId, join: Join, now: Millis, silence: Duration) -> Self {
        Self {
            id,
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: owned(join.protocols),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            is_new: true,
            deadline: now.after(silence),
        }
    }

    /// Takes over what a later join says; returns what it supported before.
    pub(super) fn update(&mut self, join: Join) -> Vec<Protocol> {
        self.client_id = join.client_id;
        self.client_host = join.client_host;
        self.session_timeout = join.session_timeout;
        self.rebalance_timeout = join.rebalance_timeout;
        std::mem::replace(&mut self.protocols, owned(join.protocols))
    }

    /// Octets that are kept for it.
    pub(super) fn octets(&self) -> usize {
        let of_protocol = |protocol: &Protocol| protocol.name.len() + protocol.metadata.len();
        let protocols: usize = self.protocols.iter().map(of_protocol).sum();
        let names = [&self.id, &self.client_id, &self.client_host];
        let names = names.into_iter().chain(&self.instance_id);
        let names: usize = names.map(|name| name.len()).sum();
        names + protocols + self.assignment.len()
    }

    /// Begins the session anew.
    pub(super) fn heard(&mut self, now: Millis) {
        self.deadline = now.after(self.session_timeout);
    }

    /// Whether its silence is ours: a request of it waits for the others.
    pub(super) fn is_kept_waiting(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }

    /// Lets `caller` wait for the end of the join; one that waited before is sent to ask again.
    pub(super) fn wait_for_join(&mut self, caller: Caller, turn: &mut Turn<'_>) {
        if let Some(earlier) = self.joining.replace(caller) {
            turn.answer_join(earlier, Err(Refusal::RebalanceInProgress));
        }
    }

    /// Lets `caller` wait for the assignment; one that waited before is sent to ask again.
    pub(super) fn wait_for_sync(&mut self, caller: Caller, turn: &mut Turn<'_>) {
        if let Some(earlier) = self.syncing.replace(caller) {
            turn.answer_sync(earlier, Err(Refusal::RebalanceInProgress));
        }
    }

    /// Answers whatever waits with `refusal`.
    pub(super) fn refuse_waiting(&mut self, refusal: &Refusal, turn: &mut Turn<'_>) {
        if let Some(caller) = self.joining.take() {
            turn.answer_join(caller, Err(refusal.clone()));
        }
        if let Some(caller) = self.syncing.take() {
            turn.answer_sync(caller, Err(refusal.clone()));
        }
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|held| &*held.name == protocol)
    }

    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let held = self.protocols.iter().find(|held| &*held.name == protocol);
        held.map(|held| held.metadata.clone()).unwrap_or_default()
    }
}

/// Metadata by itself: as a part of its request it would keep all of that, which has no such limit.
fn owned(protocols: Vec<Protocol>) -> Vec<Protocol> {
    let copy = |protocol: Protocol| Protocol {
        metadata: Bytes::copy_from_slice(&protocol.metadata),
        ..protocol
    };
    protocols.into_iter().map(copy).collect()
}
