//! Taking a place in logs, and what follows once that is durable.

use smallvec::SmallVec;

use super::{
    Admission, Broker, Confirm, Topic,
    completion::{Completion, Due, Effect},
    expiry::note_expiry,
    partition::Partition,
};
use crate::{
    entry::Draft,
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
    store::{Commit, Durability, Op, Placed, Store, Submitted},
};
use std::sync::Arc;

/// One place that a publish goes to.
pub(super) struct Stop {
    pub(super) topic: Arc<Topic>,
    pub(super) at: PartitionId,
    pub(super) partition: Arc<Partition>,
}

impl Stop {
    /// Where an entry would be that came just before its topic was deleted. It went with that.
    fn went_with_its_topic(&self) -> Placed {
        Placed {
            base_offset: self.partition.end(),
            appended: Millis::now(),
            leader_epoch: self.topic.leader_epoch(),
        }
    }
}

pub(super) type Stops = SmallVec<[Stop; 4]>;

impl Broker {
    pub(super) fn check_size(&self, draft: &Draft) -> Result<()> {
        draft.fields.check()?;
        let (size, limit) = (draft.body.len(), self.limits().message_bytes);
        if size <= limit {
            return Ok(());
        }
        let message = format!("{size} octets; the limit for one message is {limit}");
        Err(Error::new(ErrorKind::TooLarge, "publish", message))
    }

    /// Submits to the durable store in one commit, and to memory in another.
    pub(super) fn submit_all(
        &self,
        mut stops: Stops,
        draft: Draft,
        level: Durability,
        admission: Admission,
    ) -> Result<(Offset, Confirm)> {
        if stops.len() == 1 {
            let stop = stops.pop().expect("there is one");
            let partition = stop.partition.clone();
            let tail = partition.tail.lock();
            if partition.is_closed() {
                return Ok((stop.went_with_its_topic().base_offset, Confirm::ready()));
            }
            let (submitted, span) = self.submit_one(&stop, draft, Vec::new(), level)?;
            drop(tail);
            let base = submitted.placed[0].base_offset;
            let stops = Stops::from_iter([stop]);
            return Ok((
                base,
                self.complete(&submitted, stops, span, level, admission),
            ));
        }
        let (memory, durable): (Stops, Stops) = stops
            .into_iter()
            .partition(|stop| stop.topic.lives_in_memory());
        let span = draft.span;
        let mut base = None;
        let mut confirm = Confirm::ready();
        if !memory.is_empty() {
            // Before anything is durable: what is refused is to be refused as a whole.
            self.inner.memory.check_room()?;
        }
        if !durable.is_empty() {
            let submitted = self.submit_many(&*self.inner.store, &durable, &draft, level)?;
            base = submitted.placed.first().map(|placed| placed.base_offset);
            confirm = self.complete(&submitted, durable, span, level, admission);
        }
        if !memory.is_empty() {
            let submitted = self.submit_many(&*self.inner.memory, &memory, &draft, level)?;
            base = base.or(submitted.placed.first().map(|placed| placed.base_offset));
            let done = self.complete(&submitted, memory, span, level, Admission::none());
            debug_assert!(done.is_ready(), "memory is done at once");
        }
        Ok((base.unwrap_or_default(), confirm))
    }

    /// One commit over several logs. Tails are locked in the order of their logs, so that two
    /// fan-outs never wait for each other.
    pub(super) fn submit_many(
        &self,
        store: &dyn Store,
        stops: &Stops,
        draft: &Draft,
        level: Durability,
    ) -> Result<Submitted> {
        let mut sorted: SmallVec<[&Stop; 4]> = stops.iter().collect();
        sorted.sort_unstable_by_key(|stop| stop.partition.log);
        let tails: SmallVec<[_; 4]> = sorted
            .iter()
            .map(|stop| stop.partition.tail.lock())
            .collect();
        let open = || stops.iter().filter(|stop| !stop.partition.is_closed());
        let appends = open().map(|stop| Op::Append {
            log: stop.partition.log,
            draft: draft.clone(),
        });
        let mut ops: Vec<_> = appends.collect();
        let mut wheels: SmallVec<[_; 4]> = SmallVec::new();
        for stop in &sorted {
            wheels.extend(note_expiry(&mut ops, stop, draft, stop.partition.end()));
        }
        let mut submitted = store.submit(Commit {
            ops,
            durability: level,
            epoch: self.inner.epoch,
        })?;
        for (stop, placed) in open().zip(&submitted.placed) {
            stop.partition
                .extend(placed.base_offset.plus(u64::from(draft.span)));
            self.expires_in_memory(stop, draft.fields.expires_at, placed.base_offset);
        }
        for (index, stop) in stops.iter().enumerate() {
            if stop.partition.is_closed() {
                submitted.placed.insert(index, stop.went_with_its_topic());
            }
        }
        wheels.into_iter().for_each(|wheel| wheel.done(self, None));
        drop(tails);
        Ok(submitted)
    }

    /// One append; the caller holds the partition's tail. Returns the draft's span with it.
    pub(super) fn submit_one(
        &self,
        stop: &Stop,
        draft: Draft,
        mut ops: Vec<Op>,
        level: Durability,
    ) -> Result<(Submitted, u32)> {
        let (span, log, expires) = (draft.span, stop.partition.log, draft.fields.expires_at);
        let append_at = ops.len();
        let filing = note_expiry(&mut ops, stop, &draft, stop.partition.end());
        ops.insert(append_at, Op::Append { log, draft });
        let submitted = stop.topic.store.submit(Commit {
            ops,
            durability: level,
            epoch: self.inner.epoch,
        })?;
        if let Some(filing) = filing {
            filing.done(self, None);
        }
        let base = submitted.placed[0].base_offset;
        stop.partition.extend(base.plus(u64::from(span)));
        self.expires_in_memory(stop, expires, base);
        Ok((submitted, span))
    }

    /// Queues what follows the commit: visibility and the confirm.
    pub(super) fn complete(
        &self,
        submitted: &Submitted,
        stops: Stops,
        span: u32,
        level: Durability,
        admission: Admission,
    ) -> Confirm {
        let mut leasable = Vec::new();
        let mut stable = Vec::with_capacity(stops.len());
        for (stop, placed) in stops.into_iter().zip(&submitted.placed) {
            let end = placed.base_offset.plus(u64::from(span));
            if stop.topic.lives_in_memory() {
                stop.topic.stabilize(stop.at, end);
                continue;
            }
            if level < Durability::Disk {
                leasable.push(Effect::Leasable(stop.topic.clone(), stop.at, end));
            }
            stable.push(Effect::Stable(stop.topic, stop.at, end));
        }
        if stable.is_empty() && span > 0 {
            return Confirm::ready();
        }
        let completion = |effects, confirm, admission| Completion {
            seq: submitted.seq,
            effects,
            confirm,
            admission,
        };
        let completions = &self.inner.completions;
        let (sender, confirm) = Confirm::pending();
        match level {
            Durability::Disk => {
                completions.push(Due::Disk, completion(stable, Some(sender), admission));
            }
            Durability::Os => {
                completions.push(
                    Due::Os,
                    completion(leasable, Some(sender), Admission::none()),
                );
                completions.push(Due::Lazy, completion(stable, None, admission));
            }
            Durability::Memory => {
                completion(leasable, Some(sender), Admission::none()).finish();
                completions.push(Due::Lazy, completion(stable, None, admission));
            }
        }
        confirm
    }
}
