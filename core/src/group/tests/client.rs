//! A coordinator with the answers that it gave, as a shell would keep them.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use crate::{
    group::{
        Caller, Coordinator, Effect, Join, Joined, Leaver, Membership, Options, Protocol, Refusal,
        Sync, Synced,
    },
    id::Millis,
};

pub(super) const SESSION: Duration = Duration::from_secs(10);
pub(super) const REBALANCE: Duration = Duration::from_secs(60);

/// A shell around a coordinator: hands out callers, keeps the time, files the answers.
pub(super) struct Client {
    pub(super) coordinator: Coordinator,
    pub(super) now: Millis,
    pub(super) joins: BTreeMap<u64, Result<Joined, Refusal>>,
    pub(super) syncs: BTreeMap<u64, Result<Synced, Refusal>>,
    pub(super) news: Vec<Effect>,
    callers: u64,
}

pub(super) fn join_of(member_id: &str) -> Join {
    let protocol = |name: &str| Protocol {
        name: name.into(),
        metadata: Bytes::from(format!("{name} of {member_id}")),
    };
    Join {
        group: "g".into(),
        member_id: member_id.into(),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range"), protocol("sticky")],
        asks_for_member_id: false,
        skips_assignment: true,
    }
}

pub(super) fn static_join(member_id: &str, instance: &str) -> Join {
    Join {
        instance_id: Some(instance.into()),
        ..join_of(member_id)
    }
}

pub(super) fn member(id: &str, generation: i32) -> Membership {
    Membership {
        group: "g".into(),
        member_id: id.into(),
        instance_id: None,
        generation,
    }
}

impl Client {
    pub(super) fn new(options: Options) -> Self {
        Self {
            coordinator: Coordinator::new(options, 7),
            now: Millis(1_000),
            joins: BTreeMap::new(),
            syncs: BTreeMap::new(),
            news: Vec::new(),
            callers: 0,
        }
    }

    pub(super) fn join(&mut self, join: Join) -> u64 {
        let caller = self.caller();
        let mut effects = Vec::new();
        self.coordinator.join(join, caller, self.now, &mut effects);
        self.file(effects);
        caller.0
    }

    /// Joins, and expects the answer at once.
    pub(super) fn joined(&mut self, join: Join) -> Joined {
        let caller = self.join(join);
        self.joins[&caller].clone().expect("the join succeeds")
    }

    pub(super) fn sync(&mut self, member: Membership, assignments: &[(&str, &str)]) -> u64 {
        let assignments = assignments
            .iter()
            .map(|(id, text)| ((*id).into(), Bytes::copy_from_slice(text.as_bytes())));
        self.sync_with(Sync {
            member,
            protocol_type: None,
            protocol: None,
            assignments: assignments.collect(),
        })
    }

    pub(super) fn sync_with(&mut self, sync: Sync) -> u64 {
        let caller = self.caller();
        let mut effects = Vec::new();
        self.coordinator.sync(sync, caller, self.now, &mut effects);
        self.file(effects);
        caller.0
    }

    pub(super) fn leave(&mut self, member_id: &str) -> Result<(), Refusal> {
        let leaver = Leaver {
            member_id: member_id.into(),
            instance_id: None,
        };
        let mut effects = Vec::new();
        let group = "g".into();
        let results = self
            .coordinator
            .leave(&group, &[leaver], self.now, &mut effects);
        self.file(effects);
        results.into_iter().next().expect("one result a leaver")
    }

    pub(super) fn heartbeat(&mut self, id: &str, generation: i32) -> Result<(), Refusal> {
        self.coordinator
            .heartbeat(&member(id, generation), self.now)
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now.after(time);
        while let Some(due) = self.coordinator.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.tick();
        }
        self.now = until;
        self.tick();
    }

    fn tick(&mut self) {
        let mut effects = Vec::new();
        self.coordinator.tick(self.now, &mut effects);
        self.file(effects);
        let due = self.coordinator.next_deadline();
        assert!(
            due.is_none_or(|due| due > self.now),
            "a tick does what is due"
        );
    }

    fn caller(&mut self) -> Caller {
        self.callers += 1;
        Caller(self.callers)
    }

    fn file(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let again = match effect {
                Effect::Join { caller, reply } => self.joins.insert(caller.0, reply).is_some(),
                Effect::Sync { caller, reply } => self.syncs.insert(caller.0, reply).is_some(),
                other => {
                    self.news.push(other);
                    false
                }
            };
            assert!(!again, "a caller is answered once");
        }
    }
}
