//! Drives the group coordinator: a clock, timers, and requests that wait for their answers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use standpipe_core::{
    broker::Broker,
    group::{
        Caller, Coordinator, Description, Effect, GroupId, Join, Joined, Leaver, Listing,
        Membership, Options, Refusal, Sync, Synced,
    },
    id::Millis,
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use uuid::Uuid;

use super::service::NAMESPACE;

/// How long timers sleep where nothing is due.
const NOTHING_DUE: Duration = Duration::from_secs(3600);

/// An answer that comes later; an error where the broker stops before.
pub(super) type Reply<T> = oneshot::Receiver<Result<T, Refusal>>;

/// The groups of a broker.
#[derive(Debug)]
pub(super) struct Groups {
    broker: Broker,
    started: Instant,
    state: Mutex<State>,
    /// A deadline may have come nearer, or a group has expired.
    wake: Notify,
}

#[derive(Debug)]
struct State {
    coordinator: Coordinator,
    joins: HashMap<Caller, oneshot::Sender<Result<Joined, Refusal>>>,
    syncs: HashMap<Caller, oneshot::Sender<Result<Synced, Refusal>>>,
    callers: u64,
    effects: Vec<Effect>,
    expired: Vec<GroupId>,
}

impl Groups {
    /// The groups that have committed offsets; members of an earlier life are gone.
    pub(super) fn new(broker: Broker, options: Options) -> Self {
        let seed = Uuid::new_v4().as_u64_pair().0;
        let groups = Self {
            broker,
            started: Instant::now(),
            state: Mutex::new(State {
                coordinator: Coordinator::new(options, seed),
                joins: HashMap::new(),
                syncs: HashMap::new(),
                callers: 0,
                effects: Vec::new(),
                expired: Vec::new(),
            }),
            wake: Notify::new(),
        };
        groups.remember_committed();
        groups
    }

    /// Lets deadlines pass when they are due, until it is dropped.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            let due = self.state.lock().coordinator.next_deadline();
            let now = self.now();
            let wait = due.map_or(NOTHING_DUE, |due| {
                Duration::from_millis(u64::try_from(due.0 - now.0).unwrap_or(0))
            });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.wake.notified() => {}
            }
            let now = self.now();
            self.act(|state| state.coordinator.tick(now, &mut state.effects));
            self.forget_expired().await;
        }
    }

    /// JoinGroup.
    pub(super) fn join(&self, join: Join) -> Reply<Joined> {
        let (sender, reply) = oneshot::channel();
        let now = self.now();
        self.act(|state| {
            let caller = state.next_caller();
            state.joins.insert(caller, sender);
            state
                .coordinator
                .join(join, caller, now, &mut state.effects);
        });
        reply
    }

    /// SyncGroup.
    pub(super) fn sync(&self, sync: Sync) -> Reply<Synced> {
        let (sender, reply) = oneshot::channel();
        let now = self.now();
        self.act(|state| {
            let caller = state.next_caller();
            state.syncs.insert(caller, sender);
            state
                .coordinator
                .sync(sync, caller, now, &mut state.effects);
        });
        reply
    }

    /// Heartbeat.
    pub(super) fn heartbeat(&self, who: &Membership) -> Result<(), Refusal> {
        self.state.lock().coordinator.heartbeat(who, self.now())
    }

    /// LeaveGroup.
    pub(super) fn leave(&self, group: &GroupId, leavers: &[Leaver]) -> Vec<Result<(), Refusal>> {
        let now = self.now();
        self.act(|state| {
            let effects = &mut state.effects;
            state.coordinator.leave(group, leavers, now, effects)
        })
    }

    /// Whether a commit is allowed.
    pub(super) fn check_commit(&self, who: &Membership) -> Result<(), Refusal> {
        let now = self.now();
        self.act(|state| state.coordinator.check_commit(who, now))
    }

    /// All groups.
    pub(super) fn list(&self) -> Vec<Listing> {
        self.remember_committed();
        self.state.lock().coordinator.list()
    }

    /// One group.
    pub(super) fn describe(&self, group: &str) -> Option<Description> {
        self.remember_committed();
        self.state.lock().coordinator.describe(group)
    }

    /// Forgets a group without members; its offsets are the caller's to delete.
    pub(super) fn delete(&self, group: &str) -> Result<(), Refusal> {
        self.remember_committed();
        self.state.lock().coordinator.delete(group)
    }

    fn now(&self) -> Millis {
        Millis(0).after(self.started.elapsed())
    }

    /// Groups come into being by commits over other protocols too.
    fn remember_committed(&self) {
        let now = self.now();
        let committed = self.broker.groups(NAMESPACE);
        let coordinator = &mut self.state.lock().coordinator;
        for group in committed {
            if coordinator.describe(&group).is_none() {
                coordinator.remember(&group, now);
            }
        }
    }

    /// Lets `act` change the groups, then answers those whose answer is there.
    fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let before = state.coordinator.next_deadline();
        let result = act(&mut state);
        state.answer();
        if state.coordinator.next_deadline() != before || !state.expired.is_empty() {
            self.wake.notify_one();
        }
        result
    }

    async fn forget_expired(&self) {
        let expired = std::mem::take(&mut self.state.lock().expired);
        for group in expired {
            if let Err(error) = self.broker.delete_group(NAMESPACE, &group).await {
                tracing::warn!(%error, %group, "offsets of an expired group stay");
            }
        }
    }
}

impl State {
    fn next_caller(&mut self) -> Caller {
        self.callers += 1;
        Caller(self.callers)
    }

    /// Whoever does not wait any more has left, and needs no answer.
    fn answer(&mut self) {
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Join { caller, reply } => {
                    self.joins.remove(&caller).map(|sender| sender.send(reply));
                }
                Effect::Sync { caller, reply } => {
                    self.syncs.remove(&caller).map(|sender| sender.send(reply));
                }
                Effect::Emptied { group } => tracing::debug!(%group, "group is empty"),
                Effect::Expired { group } => self.expired.push(group),
            }
        }
    }
}
