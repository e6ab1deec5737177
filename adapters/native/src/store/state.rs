//! All that the store knows, under one lock.

use standpipe_core::{
    error::{Error, ErrorKind, Result},
    id::Millis,
    store::{Commit, CommitSeq, Durability, Op, Placed, Submitted},
};

use tokio::sync::watch;

use super::{
    StoreOptions,
    contents::Contents,
    footing::Footing,
    pending::Pending,
    record::{RecordFacts, record_bound},
    shared::Ending,
    snapshot::Snapshot,
    sums::Sums,
    tail::Tail,
};

/// The largest record: 256 MiB, far above the message size limit, far below a file's 4 GiB.
const RECORD_LIMIT: usize = 256 * 1024 * 1024;

/// Contents as of the last commit, the journal's end, and the newest entries.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) contents: Contents,
    pub(crate) pending: Pending,
    pub(crate) tail: Tail,
    /// Why nothing is taken at the moment, or for good.
    pub(crate) refusal: Option<Error>,
    /// Why nothing is appended at the moment: the disk is full, and what is left is for what frees it.
    pub(crate) full: Option<Error>,
    /// Octets that commits may append even then, where they let go of others.
    pub(crate) movable: u64,
    /// What those who ask were told last of the two above.
    pub(crate) told: watch::Sender<Option<Error>>,
    /// Whether the reserve was released and the write that it is for is not done yet.
    pub(crate) writer_first: bool,
    /// The last commit that somebody wants on disk.
    pub(crate) sync_wanted: u64,
    /// Whether and how the writer should end.
    pub(crate) ending: Ending,
    /// What a checkpoint waits for, if one does: the journal may grow above its limit then.
    pub(crate) footing: Option<Footing>,
    /// Whether the thread behind the journal runs.
    pub(crate) flushing: bool,
    /// The oldest journal file that is needed.
    pub(crate) first_file: u32,
    /// Why the journal cannot be moved into segments at the moment.
    pub(crate) stuck: Option<Error>,
    /// Whether the mark of a clean end was submitted.
    pub(crate) marked: bool,
    /// A commit was begun and not finished, which is a bug: nothing more may be written.
    pub(crate) unfinished: bool,
    pending_limit: usize,
}

impl State {
    /// Goes on from what recovery read.
    pub(crate) fn new(
        contents: Contents,
        pending: Pending,
        first_file: u32,
        options: &StoreOptions,
    ) -> Self {
        Self {
            tail: Tail::new(options.tail_bytes, contents.seq),
            sync_wanted: contents.seq,
            contents,
            pending,
            refusal: None,
            full: None,
            movable: 0,
            writer_first: false,
            told: watch::Sender::default(),
            ending: Ending::None,
            footing: None,
            flushing: false,
            first_file,
            stuck: None,
            marked: false,
            unfinished: false,
            pending_limit: options.pending_bytes,
        }
    }

    /// Takes a commit, with the checksums of what it appends: see
    /// [`Store::submit`](standpipe_core::store::Store::submit).
    pub(crate) fn submit(&mut self, commit: Commit, sums: Sums) -> Result<Submitted> {
        let bound = record_bound(&commit.ops);
        self.check(&commit, bound)?;
        if self.full.is_some() && commit.appends() {
            self.movable -= bound as u64;
        }
        self.pending.make_room(bound, self.contents.seq);
        self.contents.seq += 1;
        self.contents.epoch = commit.epoch;
        if commit.durability == Durability::Disk {
            self.sync_wanted = self.contents.seq;
        }
        let placed = self.write(commit.ops, sums);
        self.evict();
        Ok(Submitted {
            seq: CommitSeq(self.contents.seq),
            placed,
        })
    }

    /// Writes a record without steps, which says that all before it is synced.
    pub(crate) fn submit_mark(&mut self) {
        self.pending.make_room(record_bound(&[]), self.contents.seq);
        self.contents.seq += 1;
        self.sync_wanted = self.contents.seq;
        self.write(Vec::new(), Sums::default());
    }

    /// What a checkpoint says that counts all commits so far.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.contents, self.pending.end())
    }

    /// Lets cached entries go where there are too many.
    pub(crate) fn evict(&mut self) {
        self.tail.evict(&mut self.contents.logs);
    }

    /// Tells whether appends are taken, where that changed. A store that ends says so otherwise.
    pub(crate) fn tell(&self) {
        if self.ending != Ending::None {
            return;
        }
        let why = self.refusal.as_ref().or(self.full.as_ref());
        self.told.send_if_modified(|told| {
            let changed = told.is_some() != why.is_some();
            if changed {
                *told = why.cloned();
            }
            changed
        });
    }

    /// Why a store that is closed refuses; `None` while it is open.
    pub(crate) fn closed_error(&self) -> Option<Error> {
        let closed = || refused(ErrorKind::Closed, "the store is closed".into());
        (self.ending != Ending::None).then(closed)
    }

    fn check(&self, commit: &Commit, bound: usize) -> Result<()> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        if self.unfinished {
            return Err(unfinished());
        }
        if let Some(full) = self.full.as_ref().filter(|_| commit.appends()) {
            // What is not moved may never be settled, and then nothing frees space.
            let moves = commit.lets_go() && bound as u64 <= self.movable;
            if !moves {
                return Err(full.clone());
            }
        }
        if bound > RECORD_LIMIT {
            let message = format!("a commit of {bound} octets exceeds the limit of {RECORD_LIMIT}");
            return Err(refused(ErrorKind::TooLarge, message));
        }
        if self.pending.unwritten > 0 && self.pending.unwritten + bound > self.pending_limit {
            let message = format!(
                "{} octets wait to be written; the limit is {}; slow down",
                self.pending.unwritten, self.pending_limit
            );
            return Err(refused(ErrorKind::Throttled, message));
        }
        if commit.epoch < self.contents.epoch {
            let message = format!(
                "epoch {} is fenced by {}",
                commit.epoch.0, self.contents.epoch.0
            );
            return Err(refused(ErrorKind::Conflict, message));
        }
        commit.ops.iter().try_for_each(|op| self.check_op(op))
    }

    fn check_op(&self, op: &Op) -> Result<()> {
        match op {
            Op::Append { log, draft } => {
                draft.fields.check()?;
                let found = self.contents.logs.get(log);
                found
                    .and_then(|found| found.loss().refusal(*log))
                    .map_or(Ok(()), Err)
            }
            Op::PutIf { key, expect, .. } if !expect.holds(self.contents.keys.get(key)) => {
                let message = format!("key {key:?} is not as expected");
                Err(refused(ErrorKind::Conflict, message))
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, ops: Vec<Op>, sums: Sums) -> Vec<Placed> {
        let (contents, tail) = (&mut self.contents, &mut self.tail);
        let facts = RecordFacts {
            salt: self.pending.salt(),
            seq: contents.seq,
            epoch: contents.epoch,
            synced: self.pending.synced,
        };
        let (now, leader_epoch) = (Millis::now(), self.pending.incarnation());
        self.unfinished = true;
        let placed = self.pending.record(ops.len(), |mut record| {
            let (mut placed, mut sums) = (Vec::new(), sums.into_iter());
            for op in ops {
                let Op::Append { log: id, draft } = op else {
                    record.step(&op);
                    contents.apply(op);
                    continue;
                };
                let log = contents.log(id);
                let entry = log.place(draft, now, leader_epoch);
                let sum = sums.next().expect("each append has a checksum");
                let extent = record.append(id, &entry, sum);
                tail.push(id, &entry, facts.seq);
                placed.push(log.keep(entry, extent, facts.seq));
            }
            record.finish(facts);
            placed
        });
        self.unfinished = false;
        placed
    }
}

/// Why a store ends in whose lock a commit panicked.
pub(super) fn unfinished() -> Error {
    let message =
        "a commit was begun and not finished, which is a bug; the store must be opened again";
    refused(ErrorKind::Closed, message.into())
}

fn refused(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, "commit", message)
}
