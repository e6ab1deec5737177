//! Publishing what is to be delivered later: into bucket logs, without an offset yet.

use smallvec::SmallVec;

use super::{
    Admission, Broker, Confirm,
    filing::FilingIn,
    place::{Stop, Stops},
};
use crate::{
    entry::Draft,
    error::Result,
    id::Millis,
    store::{Commit, Durability, Store, Submitted},
    wheel::Kind,
};

impl Broker {
    /// Files a message in the delay logs of all its topics: in one commit for the durable store,
    /// in another for memory. It is confirmed once it is as durable there as was asked.
    pub(super) fn submit_delayed(
        &self,
        stops: Stops,
        draft: &Draft,
        due: Millis,
        level: Durability,
        admission: Admission,
    ) -> Result<Confirm> {
        let (memory, durable): (Stops, Stops) = stops
            .into_iter()
            .partition(|stop| stop.topic.lives_in_memory());
        if !memory.is_empty() {
            // Before anything is durable: what is refused is to be refused as a whole.
            self.inner.memory.check_room()?;
        }
        let mut confirm = Confirm::ready();
        if !durable.is_empty() {
            let submitted = self.file_all(&*self.inner.store, &durable, draft, due, level)?;
            confirm = self.complete(&submitted, Stops::new(), 0, level, admission);
        }
        if !memory.is_empty() {
            self.file_all(&*self.inner.memory, &memory, draft, due, level)?;
        }
        Ok(confirm)
    }

    fn file_all(
        &self,
        store: &dyn Store,
        stops: &Stops,
        draft: &Draft,
        due: Millis,
        level: Durability,
    ) -> Result<Submitted> {
        let mut sorted: SmallVec<[&Stop; 4]> = stops.iter().collect();
        sorted.sort_unstable_by_key(|stop| stop.partition.log);
        let mut ops = Vec::new();
        let mut wheels: SmallVec<[FilingIn<'_>; 4]> = SmallVec::new();
        for stop in sorted {
            // A topic that is deleted meanwhile has no place for it any more.
            let Some(mut wheel) = FilingIn::begin(&stop.topic) else {
                continue;
            };
            wheel.file_at_least(&mut ops, Kind::Delivery, stop.at, due, draft.clone());
            wheels.push(wheel);
        }
        let submitted = store.submit(Commit {
            ops,
            durability: level,
            epoch: self.inner.epoch,
        })?;
        for wheel in wheels {
            wheel.done(self, None);
        }
        Ok(submitted)
    }
}

/// The time until which a draft must wait, where that is not over.
pub(super) fn waits_until(draft: &Draft, now: Millis) -> Option<Millis> {
    draft.fields.deliver_at.filter(|due| *due > now)
}
