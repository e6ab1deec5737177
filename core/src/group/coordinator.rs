//! All groups of one broker.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Caller, Description, Effect, GroupId, Join, Leaver, Listing, Membership, Options, Refusal,
    State, Sync, member_ids::MemberIds, roster::Group, turn::Turn,
};
use crate::id::Millis;

/// The coordinator of many groups. `now` may be any clock that does not go back.
#[derive(Debug)]
pub struct Coordinator {
    options: Options,
    ids: MemberIds,
    groups: BTreeMap<GroupId, Group>,
    /// How many of them count up to the limit.
    counted: usize,
    /// What all of them hold.
    octets: usize,
    timers: BTreeSet<(Millis, GroupId)>,
    /// Groups that went without known offsets; the shell is told.
    forgotten: Vec<GroupId>,
}

impl Coordinator {
    /// A coordinator without groups. Member ids come from `seed`, which must differ at every start
    /// of a broker, so that members of an earlier life are not taken for today's.
    pub fn new(options: Options, seed: u64) -> Self {
        Self {
            options,
            ids: MemberIds::new(seed),
            groups: BTreeMap::new(),
            counted: 0,
            octets: 0,
            timers: BTreeSet::new(),
            forgotten: Vec::new(),
        }
    }

    /// `JoinGroup`. Answered by one [`Effect::Join`] for `caller`, now or later.
    pub fn join(&mut self, mut join: Join, caller: Caller, now: Millis, effects: &mut Vec<Effect>) {
        let (least, most) = (Duration::from_millis(1), self.options.max_rebalance_timeout);
        join.rebalance_timeout = join.rebalance_timeout.min(most).max(least);
        if let Err(refusal) = self.check_join(&join) {
            return effects.push(Effect::Join {
                caller,
                reply: Err(refusal),
            });
        }
        let id = join.group.clone();
        self.admit(&id, now);
        self.turn(&id, now, effects, |group, ids, turn| {
            group.join(join, caller, ids, turn)
        });
    }

    /// `SyncGroup`. Answered by one [`Effect::Sync`] for `caller`, now or later.
    pub fn sync(&mut self, sync: Sync, caller: Caller, now: Millis, effects: &mut Vec<Effect>) {
        let id = sync.member.group.clone();
        let refused = |refusal| Effect::Sync {
            caller,
            reply: Err(refusal),
        };
        if id.is_empty() {
            return effects.push(refused(Refusal::InvalidGroupId));
        }
        let assigned = sync.assignments.iter().map(|(_, octets)| octets.len());
        if self.octets + assigned.sum::<usize>() > self.options.octets {
            return effects.push(refused(Refusal::NoRoom));
        }
        let known = self.turn(&id, now, effects, |group, _, turn| {
            group.sync(sync, caller, turn)
        });
        if known.is_none() {
            effects.push(refused(Refusal::UnknownMember));
        }
    }

    /// `Heartbeat`.
    ///
    /// # Errors
    /// The code to answer with; `RebalanceInProgress` asks the member to join again.
    pub fn heartbeat(&mut self, who: &Membership, now: Millis) -> Result<(), Refusal> {
        if who.group.is_empty() {
            return Err(Refusal::InvalidGroupId);
        }
        let group = self
            .groups
            .get_mut(&who.group)
            .ok_or(Refusal::UnknownMember)?;
        group.heartbeat(who, now)
    }

    /// `LeaveGroup`, one result for each leaver, in order.
    pub fn leave(
        &mut self,
        group: &GroupId,
        leavers: &[Leaver],
        now: Millis,
        effects: &mut Vec<Effect>,
    ) -> Vec<Result<(), Refusal>> {
        let left = self.turn(group, now, effects, |group, _, turn| {
            leavers
                .iter()
                .map(|leaver| group.leave(leaver, turn))
                .collect()
        });
        left.unwrap_or_else(|| vec![Err(Refusal::UnknownMember); leavers.len()])
    }

    /// Whether an `OffsetCommit` is allowed. One without a generation comes from outside of the
    /// group, which must have no members then, and makes it known for a while: that it has offsets is
    /// known once the store took them and [`Coordinator::remember`] was called. The group without a
    /// name takes such ones too, as Kafka's does, though nobody joins it.
    ///
    /// # Errors
    /// The code to answer with.
    pub fn check_commit(&mut self, who: &Membership, now: Millis) -> Result<(), Refusal> {
        if who.is_outside() && !self.groups.contains_key(&who.group) {
            self.check_name(&who.group)?;
            self.check_room(&who.group)?;
            self.admit(&who.group, now);
            self.arm(&who.group);
        }
        let missing = Refusal::IllegalGeneration;
        self.groups
            .get_mut(&who.group)
            .ok_or(missing)?
            .check_commit(who, now)
    }

    /// Makes known that offsets of a group are stored. One that was not known, as after a restart, counts
    /// as without members since `since`. The limit of groups does not hold here: they are there already.
    pub fn remember(&mut self, group: &GroupId, since: Millis) {
        let held = self.groups.entry(group.clone());
        held.or_insert_with(|| Group::new(group.clone(), since))
            .has_commits = true;
        self.arm(group);
    }

    /// The groups that were forgotten since the last call without being known to have offsets. Where the
    /// store has some all the same, [`Coordinator::remember`] brings the group back.
    pub fn take_forgotten(&mut self) -> Vec<GroupId> {
        std::mem::take(&mut self.forgotten)
    }

    /// Lets time pass up to `now`.
    pub fn tick(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        while let Some((due, id)) = self.timers.first().cloned() {
            if due > now {
                break;
            }
            self.turn(&id, now, effects, |group, _, turn| group.tick(turn));
        }
    }

    /// When to call [`Coordinator::tick`] at the latest. It may turn out that nothing was due.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// All groups.
    pub fn list(&self) -> Vec<Listing> {
        self.groups.values().map(Group::listing).collect()
    }

    /// One group; `None` is Kafka's state `Dead`.
    pub fn describe(&self, group: &str) -> Option<Description> {
        self.groups.get(group).map(Group::description)
    }

    /// Forgets a group without members.
    ///
    /// # Errors
    /// `NonEmptyGroup` and `GroupNotFound`.
    pub fn delete(&mut self, group: &str) -> Result<(), Refusal> {
        match self.groups.get(group).map(|group| group.state) {
            None => Err(Refusal::GroupNotFound),
            Some(State::Empty | State::Dead) => {
                self.forget(group);
                Ok(())
            }
            Some(_) => Err(Refusal::NonEmptyGroup),
        }
    }

    fn check_join(&self, join: &Join) -> Result<(), Refusal> {
        let options = &self.options;
        if join.group.is_empty() {
            return Err(Refusal::InvalidGroupId);
        }
        if !self.groups.contains_key(&join.group) {
            self.check_name(&join.group)?;
            if !join.member_id.is_empty() {
                return Err(Refusal::UnknownMember);
            }
        }
        self.check_room(&join.group)?;
        if !(options.min_session_timeout..=options.max_session_timeout)
            .contains(&join.session_timeout)
        {
            return Err(Refusal::InvalidSessionTimeout);
        }
        if join.protocols.len() > options.protocols {
            return Err(Refusal::TooLarge);
        }
        let names = [&join.client_id, &join.protocol_type, &join.client_host];
        let mut names = names.into_iter().chain(&join.instance_id);
        let mut protocols = join.protocols.iter();
        let metadata = protocols.clone().map(|protocol| protocol.metadata.len());
        let metadata: usize = metadata.sum();
        if metadata > options.member_bytes
            || names.any(|name| name.len() > options.name_bytes)
            || protocols.any(|protocol| protocol.name.len() > options.protocol_bytes)
        {
            return Err(Refusal::TooLarge);
        }
        match self.octets + metadata > options.octets {
            true => Err(Refusal::NoRoom),
            false => Ok(()),
        }
    }

    fn check_name(&self, group: &str) -> Result<(), Refusal> {
        match group.len() > self.options.name_bytes {
            true => Err(Refusal::InvalidGroupId),
            false => Ok(()),
        }
    }

    /// Whether one more group may count, where this one does not yet.
    fn check_room(&self, group: &str) -> Result<(), Refusal> {
        if !self.counts(group) && self.is_full() && self.longest_empty().is_none() {
            return Err(Refusal::TooManyGroups);
        }
        Ok(())
    }

    /// Makes a group known that passed [`Coordinator::check_room`], where it is new, and room for it
    /// where it comes to count.
    fn admit(&mut self, id: &GroupId, now: Millis) {
        if self.counts(id) {
            return;
        }
        if self.is_full()
            && let Some(oldest) = self.longest_empty()
        {
            self.forget(&oldest);
            self.forgotten.push(oldest);
        }
        let held = self.groups.entry(id.clone());
        held.or_insert_with(|| Group::new(id.clone(), now));
    }

    fn counts(&self, group: &str) -> bool {
        self.groups.get(group).is_some_and(Group::counts)
    }

    fn is_full(&self) -> bool {
        self.counted >= self.options.groups
    }

    /// Of the groups that may go for another one, the one that nobody used for longest.
    fn longest_empty(&self) -> Option<GroupId> {
        let groups = self.groups.values();
        let oldest = groups
            .filter(|group| group.is_dispensable())
            .min_by_key(|group| group.empty_since);
        oldest.map(|group| group.id.clone())
    }

    /// Gives a group its turn, then arms its timer anew. `None` where there is no such group.
    fn turn<T>(
        &mut self,
        id: &GroupId,
        now: Millis,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut Group, &mut MemberIds, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(id)?;
        let mut turn = Turn {
            now,
            options: &self.options,
            effects,
        };
        let result = act(group, &mut self.ids, &mut turn);
        if group.state == State::Dead || group.is_unused() {
            if !group.has_commits {
                self.forgotten.push(id.clone());
            }
            self.forget(id);
        } else {
            self.arm(id);
        }
        Some(result)
    }

    /// Takes note of whether a group counts from now on, of what it holds, and of when it is looked at next. A heartbeat
    /// moves a deadline away without this: the timer then finds nothing due.
    fn arm(&mut self, id: &GroupId) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        debug_assert!(group.has_counted_protocols());
        let counts = group.counts();
        let counted = std::mem::replace(&mut group.counted, counts);
        self.counted = self.counted + usize::from(counts) - usize::from(counted);
        let octets = group.octets();
        let before = std::mem::replace(&mut group.counted_octets, octets);
        self.octets = self.octets + octets - before;
        let due = group.next_deadline(&self.options);
        let armed = std::mem::replace(&mut group.armed, due);
        if armed == due {
            return;
        }
        armed.map(|at| self.timers.remove(&(at, id.clone())));
        due.map(|at| self.timers.insert((at, id.clone())));
    }

    fn forget(&mut self, id: &str) {
        let Some(group) = self.groups.remove(id) else {
            return;
        };
        self.counted -= usize::from(group.counted);
        self.octets -= group.counted_octets;
        if let Some(at) = group.armed {
            self.timers.remove(&(at, group.id));
        }
    }
}
