//! Drives the group coordinator: a clock, timers, and requests that wait for their answers.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use standpipe_core::{
    Result,
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

/// How long groups that are found expired at a start are kept all the same.
const GRACE: Duration = Duration::from_hours(1);

/// An answer that comes later; an error where the broker stops before.
pub(super) type Reply<T> = oneshot::Receiver<Result<T, Refusal>>;

/// The groups of a broker.
#[derive(Debug)]
pub(super) struct Groups {
    broker: Broker,
    /// How long offsets of a group without members are kept.
    retention: Duration,
    started: Instant,
    state: Mutex<State>,
    /// A deadline may have come nearer.
    wake: Notify,
    /// A group has expired.
    expiry: Notify,
}

#[derive(Debug)]
struct State {
    coordinator: Coordinator,
    joins: HashMap<Caller, oneshot::Sender<Result<Joined, Refusal>>>,
    syncs: HashMap<Caller, oneshot::Sender<Result<Synced, Refusal>>>,
    callers: u64,
    effects: Vec<Effect>,
    /// Groups whose offsets are to be deleted, and which are not remembered for them meanwhile.
    expired: BTreeSet<GroupId>,
}

impl Groups {
    /// The groups that have committed offsets; members of an earlier life are gone.
    pub(super) fn new(broker: Broker, options: Options) -> Self {
        let seed = Uuid::new_v4().as_u64_pair().0;
        let groups = Self {
            broker,
            retention: options.empty_retention,
            started: Instant::now(),
            state: Mutex::new(State {
                coordinator: Coordinator::new(options, seed),
                joins: HashMap::new(),
                syncs: HashMap::new(),
                callers: 0,
                effects: Vec::new(),
                expired: BTreeSet::new(),
            }),
            wake: Notify::new(),
            expiry: Notify::new(),
        };
        groups.remember_stored();
        groups
    }

    /// Lets deadlines pass when they are due, and offsets go whose time is over, until it is dropped. No
    /// deadline waits for the store: to delete many groups takes long.
    pub(super) async fn run(self: Arc<Self>) {
        tokio::join!(self.keep_time(), self.delete_expired());
    }

    async fn keep_time(&self) {
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
            self.pass(self.now());
        }
    }

    async fn delete_expired(&self) {
        loop {
            self.expiry.notified().await;
            self.forget_expired().await;
        }
    }

    /// Lets time pass up to `now`.
    fn pass(&self, now: Millis) {
        self.act(|state| state.coordinator.tick(now, &mut state.effects));
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

    /// One group of those that are known: see [`Groups::remember_committed`].
    pub(super) fn describe(&self, group: &str) -> Option<Description> {
        self.state.lock().coordinator.describe(group)
    }

    /// Deletes a group without members, of those that are known, and its offsets; that is on disk when
    /// this returns. Nobody joins or commits between the one and the other.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn delete(&self, group: &str) -> Result<Result<(), Refusal>> {
        let mut answer = Ok(());
        let hold = || {
            let mut state = self.state.lock();
            answer = state.coordinator.delete(group);
            answer.is_ok().then_some(state)
        };
        let deleted = self.broker.delete_group_if(NAMESPACE, group, hold).await;
        deleted.map(|_| answer)
    }

    fn now(&self) -> Millis {
        Millis(0).after(self.started.elapsed())
    }

    /// Gets to know all groups that have committed, which they may over other protocols too. This
    /// looks at every subscription: once a request, however many groups it names.
    pub(super) fn remember_committed(&self) {
        let now = self.now();
        // Locked first: a group that is deleted goes from the broker before this is unlocked.
        let mut state = self.state.lock();
        for group in self.broker.groups(NAMESPACE) {
            if !state.expired.contains(&group) {
                state.coordinator.remember(&group, now);
            }
        }
    }

    /// Gets to know the groups that are stored when the broker starts. Their newest commit is the last sign
    /// of life that is known of; but members that lived until then are given time to come back.
    fn remember_stored(&self) {
        let mut state = self.state.lock();
        for (group, newest) in self.broker.newest_commits(NAMESPACE) {
            let age = age(newest).min(self.retention.saturating_sub(GRACE));
            state.coordinator.remember(&group, before(self.now(), age));
        }
    }

    /// Lets `act` change the groups, then answers those whose answer is there.
    fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let before = state.coordinator.next_deadline();
        let result = act(&mut state);
        state.answer(&self.broker, self.now());
        if state.coordinator.next_deadline() != before {
            self.wake.notify_one();
        }
        if !state.expired.is_empty() {
            self.expiry.notify_one();
        }
        result
    }

    async fn forget_expired(&self) {
        loop {
            let next = self.state.lock().expired.first().cloned();
            let Some(group) = next else {
                return;
            };
            let hold = || self.hold_expired(&group);
            let deleted = self.broker.delete_group_if(NAMESPACE, &group, hold).await;
            if let Err(error) = deleted {
                self.state.lock().expired.remove(&group);
                tracing::warn!(%error, %group, "offsets of an expired group stay");
            }
        }
    }

    /// Holds all groups while the offsets of an expired one go; `None` where it was used meanwhile. Who
    /// reads over another protocol is no member: a sign of life of theirs is the newest commit alone.
    fn hold_expired(&self, group: &GroupId) -> Option<MutexGuard<'_, State>> {
        let mut state = self.state.lock();
        state.expired.remove(group);
        if state.coordinator.describe(group).is_some() {
            return None;
        }
        let committed = self.broker.group_offsets(NAMESPACE, group);
        let age = age(committed.iter().map(|stored| stored.at).max());
        if age < self.retention {
            state.coordinator.remember(group, before(self.now(), age));
            return None;
        }
        Some(state)
    }
}

/// How long ago a group's newest commit was; for ever where there is none.
fn age(newest: Option<Millis>) -> Duration {
    newest.map_or(Duration::MAX, |at| {
        let age = Millis::now().0.saturating_sub(at.0).max(0);
        Duration::from_millis(age.unsigned_abs())
    })
}

fn before(now: Millis, age: Duration) -> Millis {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    Millis(now.0.saturating_sub(age))
}

impl State {
    fn next_caller(&mut self) -> Caller {
        self.callers += 1;
        Caller(self.callers)
    }

    /// Whoever does not wait any more has left, and needs no answer.
    fn answer(&mut self, broker: &Broker, now: Millis) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Join { caller, reply } => {
                    self.joins.remove(&caller).map(|sender| sender.send(reply));
                }
                Effect::Sync { caller, reply } => {
                    self.syncs.remove(&caller).map(|sender| sender.send(reply));
                }
                Effect::Emptied { group } => {
                    tracing::debug!(%group, "group is empty");
                    self.remember_stored(broker, &group, now);
                }
                Effect::Expired { group } => {
                    self.expired.insert(group);
                }
            }
        }
        for group in self.coordinator.take_forgotten() {
            self.remember_stored(broker, &group, now);
        }
    }

    /// The coordinator lets commits through; the broker tells whether the store took any.
    fn remember_stored(&mut self, broker: &Broker, group: &GroupId, now: Millis) {
        if !self.expired.contains(group) && broker.has_group(NAMESPACE, group) {
            self.coordinator.remember(group, now);
        }
    }
}
