//! The newest entries, in memory: what is not written yet, and what tail readers will ask for.

use std::{collections::VecDeque, mem::size_of};

use bytes::Bytes;
use foldhash::HashMap;
use standpipe_core::{
    entry::Entry,
    id::{LogId, Offset},
};

use super::log::Log;

/// Which entries are cached, oldest first, over all logs. Each log holds its own.
#[derive(Debug)]
pub(crate) struct Tail {
    limit: usize,
    octets: usize,
    /// The last commit that is written: later ones stay whatever the limit.
    written: u64,
    order: VecDeque<Cached>,
}

#[derive(Debug)]
struct Cached {
    log: LogId,
    base: Offset,
    seq: u64,
    octets: usize,
}

impl Tail {
    /// Keeps about `limit` octets of entries that are written.
    pub(crate) fn new(limit: usize, written: u64) -> Self {
        Self {
            limit,
            octets: 0,
            written,
            order: VecDeque::new(),
        }
    }

    /// Counts an entry that its log keeps from now on.
    pub(crate) fn push(&mut self, log: LogId, entry: &Entry, seq: u64) {
        let overlay = entry.draft.fields.overlay.as_ref().map_or(0, Bytes::len);
        let octets = entry.body().len() + overlay + size_of::<(u64, Entry)>() + size_of::<Cached>();
        self.octets += octets;
        self.order.push_back(Cached {
            log,
            base: entry.base_offset,
            seq,
            octets,
        });
    }

    /// Notes that commits up to `seq` are written, so that their entries may go.
    pub(crate) fn written(&mut self, seq: u64) {
        self.written = self.written.max(seq);
    }

    /// Lets the oldest written entries go until the rest fits.
    pub(crate) fn evict(&mut self, logs: &mut HashMap<LogId, Log>) {
        while self.octets > self.limit {
            let Some(oldest) = self.order.front().filter(|c| c.seq <= self.written) else {
                break;
            };
            if let Some(log) = logs.get_mut(&oldest.log) {
                log.uncache(oldest.base, oldest.seq);
            }
            self.octets -= oldest.octets;
            self.order.pop_front();
        }
        if self.order.len() * 8 < self.order.capacity() {
            self.order.shrink_to(self.order.len() * 2);
        }
    }
}
