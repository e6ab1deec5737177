//! A disk that forgets: what was not synced survives a power cut in any subset, torn anywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, IoSlice},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use super::{count, is_journal};
use crate::store::vfs::{Disk, File};

const PAGE: usize = 4096;

/// A store that has not come to an end by then never does.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// A disk in memory that can be cut off, and told to fail.
#[derive(Clone, Default)]
pub(super) struct SimDisk(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Stored>,
    /// Removed, but a power cut may bring them back.
    removed: BTreeMap<String, Stored>,
    /// Writes, syncs and removals so far.
    steps: u64,
    /// How often each file was synced.
    syncs: BTreeMap<String, u64>,
    /// Octets that were read of journal files so far.
    journal_read: u64,
    /// At this step, the disk as a power cut would leave it is kept aside.
    cut_at: Option<(u64, u64)>,
    after_cut: Option<BTreeMap<String, Stored>>,
    /// Octets that all files together can have.
    capacity: Option<usize>,
    /// As a file system that neither reserves space nor gives it back.
    no_fallocate: bool,
    /// Refuses new checkpoints, as a disk without room for one does.
    fail_checkpoints: bool,
    fail_writes: bool,
    fail_syncs: bool,
    hold_syncs: bool,
    panic_in_syncs: bool,
}

#[derive(Clone, Default)]
struct Stored {
    /// As a reader sees it.
    seen: Vec<u8>,
    /// As the platter has it.
    durable: Vec<u8>,
    /// Pages that a failed sync left: taken for written, and not on the platter until somebody
    /// writes them again.
    stale: BTreeSet<usize>,
    /// Whole pages whose space was given back.
    holes: BTreeSet<usize>,
    name_durable: bool,
}

impl Stored {
    /// Octets that it takes of the disk.
    fn taken(&self) -> usize {
        self.seen.len() - PAGE * self.holes.len()
    }

    fn sync(&mut self) {
        let before = std::mem::replace(&mut self.durable, self.seen.clone());
        for page in &self.stale {
            let to = ((page + 1) * PAGE).min(self.durable.len());
            for at in page * PAGE..to {
                self.durable[at] = before.get(at).copied().unwrap_or(0);
            }
        }
    }

    fn fail_sync(&mut self) {
        for page in 0..self.seen.len().div_ceil(PAGE) {
            let of = |octets: &[u8]| {
                let from = octets.len().min(page * PAGE);
                octets[from..octets.len().min(from + PAGE)].to_vec()
            };
            if of(&self.seen) != of(&self.durable) {
                self.stale.insert(page);
            }
        }
    }
}

impl State {
    /// Whether the file can grow to `length`.
    fn check_room(&self, name: &str, length: usize) -> io::Result<()> {
        let others = self.files.iter().filter(|(other, _)| *other != name);
        let used: usize = others.map(|(_, file)| file.taken()).sum();
        let now = self.files.get(name).map_or(0, |file| file.seen.len());
        let full = self
            .capacity
            .is_some_and(|all| used + length.max(now) > all);
        if self.fail_writes || full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// A file; one that was removed while it was open too.
    fn file(&mut self, name: &str) -> io::Result<&mut Stored> {
        let file = self.files.get_mut(name).or(self.removed.get_mut(name));
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl SimDisk {
    /// Keeps aside, at step `step`, what a power cut with `seed` would leave.
    pub(super) fn cut_at(&self, step: u64, seed: u64) {
        self.0.state.lock().cut_at = Some((step, seed));
    }

    /// Whether the cut has come.
    pub(super) fn was_cut(&self) -> bool {
        self.0.state.lock().after_cut.is_some()
    }

    /// The disk that the cut left, or that one now leaves.
    pub(super) fn after_cut(&self, seed: u64) -> Self {
        let mut state = self.0.state.lock();
        let files = state
            .after_cut
            .take()
            .unwrap_or_else(|| survivors(&state, seed));
        let after = Self::default();
        {
            let mut left = after.0.state.lock();
            (left.files, left.no_fallocate) = (files, state.no_fallocate);
        }
        after
    }

    /// The disk as a process that ends now leaves it.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::default();
        copy.0.state.lock().files = self.0.state.lock().files.clone();
        copy
    }

    pub(super) fn fail_writes(&self, fail: bool) {
        self.0.state.lock().fail_writes = fail;
    }

    pub(super) fn hold_at_most(&self, octets: usize) {
        self.0.state.lock().capacity = Some(octets);
    }

    pub(super) fn without_fallocate() -> Self {
        let disk = Self::default();
        disk.0.state.lock().no_fallocate = true;
        disk
    }

    pub(super) fn fail_checkpoints(&self, fail: bool) {
        self.0.state.lock().fail_checkpoints = fail;
    }

    pub(super) fn fail_syncs(&self, fail: bool) {
        self.0.state.lock().fail_syncs = fail;
    }

    /// Lets syncs wait until told otherwise.
    pub(super) fn hold_syncs(&self, hold: bool) {
        self.0.state.lock().hold_syncs = hold;
        self.0.changed.notify_all();
    }

    /// Lets syncs panic, as a bug would.
    pub(super) fn panic_in_syncs(&self) {
        self.0.state.lock().panic_in_syncs = true;
    }

    /// Flips a bit of a file, on the platter too.
    pub(super) fn flip(&self, name: &str, octet: usize) {
        let mut state = self.0.state.lock();
        let file = state.files.get_mut(name).unwrap();
        file.seen[octet] ^= 1;
        file.durable = file.seen.clone();
    }

    /// Flips one bit of a file, on the platter too.
    pub(super) fn flip_bit(&self, name: &str, bit: u64) {
        let mut state = self.0.state.lock();
        let file = state.files.get_mut(name).unwrap();
        if let Some(octet) = file.seen.get_mut((bit / 8) as usize) {
            *octet ^= 1 << (bit % 8);
        }
        file.durable = file.seen.clone();
    }

    /// All names, in order.
    pub(super) fn file_names(&self) -> Vec<String> {
        self.0.state.lock().files.keys().cloned().collect()
    }

    /// Waits until the names are as wanted; fails where they never are.
    pub(super) fn wait(&self, wanted: impl Fn(&[String]) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.0.state.lock();
        loop {
            let names: Vec<_> = state.files.keys().cloned().collect();
            if wanted(&names) {
                return;
            }
            let waited = self.0.changed.wait_until(&mut state, until);
            assert!(!waited.timed_out(), "it stays at {names:?}");
        }
    }

    /// Waits until the journal is as short as it gets, the file that is made ahead among it. Who does so
    /// after each few entries has the same segments however late the thread behind the journal is.
    pub(super) fn wait_for_moves(&self) {
        self.wait(|names| count(names, is_journal) <= 3);
    }

    /// How many journal files hold something that is not synced.
    pub(super) fn unsynced_journals(&self) -> usize {
        let state = self.0.state.lock();
        let journals = state
            .files
            .iter()
            .filter(|(name, _)| name.ends_with(".journal"));
        journals
            .filter(|(_, file)| file.seen != file.durable)
            .count()
    }

    /// Writes, syncs and removals so far.
    pub(super) fn steps(&self) -> u64 {
        self.0.state.lock().steps
    }

    /// How often a file was synced, if it is there or was.
    pub(super) fn syncs(&self, name: &str) -> u64 {
        self.0.state.lock().syncs.get(name).copied().unwrap_or(0)
    }

    /// A file's octets.
    pub(super) fn octets(&self, name: &str) -> Vec<u8> {
        self.0.state.lock().files[name].seen.clone()
    }

    /// Octets that the files of a kind have, and those that they take of the disk.
    pub(super) fn taken(&self, kind: fn(&str) -> bool) -> (usize, usize) {
        let state = self.0.state.lock();
        let these = state.files.iter().filter(|(name, _)| kind(name));
        these.fold((0, 0), |(octets, taken), (_, file)| {
            (octets + file.seen.len(), taken + file.taken())
        })
    }

    /// Octets that were read of journal files so far.
    pub(super) fn journal_read(&self) -> u64 {
        self.0.state.lock().journal_read
    }

    fn step(&self, state: &mut State) {
        state.steps += 1;
        if let Some((at, seed)) = state.cut_at
            && state.steps >= at
            && state.after_cut.is_none()
        {
            state.after_cut = Some(survivors(state, seed));
        }
    }
}

/// Each page of each file as it was, as it is, or torn between the two.
fn survivors(state: &State, seed: u64) -> BTreeMap<String, Stored> {
    let mut random = Random(seed);
    let mut left = BTreeMap::new();
    let gone = |name: &String| !state.files.contains_key(name);
    let mut back = state.removed.iter().filter(|(name, _)| gone(name));
    let back: Vec<_> = back.by_ref().filter(|_| random.below(2) == 0).collect();
    for (name, file) in state.files.iter().chain(back) {
        if !file.name_durable && random.below(2) == 0 {
            continue;
        }
        let octets = torn(file, &mut random);
        let stored = Stored {
            durable: octets.clone(),
            seen: octets,
            name_durable: true,
            ..Stored::default()
        };
        left.insert(name.clone(), stored);
    }
    left
}

fn torn(file: &Stored, random: &mut Random) -> Vec<u8> {
    let mut octets = file.durable.clone();
    let grown = random.below(2) == 0;
    if grown || octets.len() > file.seen.len() {
        octets.resize(file.seen.len(), 0);
    }
    // Some cuts keep nearly all, some nearly nothing.
    let keep = random.below(101);
    for from in (0..octets.len()).step_by(PAGE) {
        let to = (from + PAGE).min(octets.len());
        let stale = file.stale.contains(&(from / PAGE));
        if stale || octets[from..to] == file.seen[from..to] || random.below(100) >= keep {
            continue;
        }
        let torn_at = match random.below(4) {
            0 => from + random.below((to - from) as u64 + 1) as usize,
            _ => to,
        };
        octets[from..torn_at].copy_from_slice(&file.seen[from..torn_at]);
    }
    octets
}

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

struct SimFile {
    disk: SimDisk,
    name: String,
}

impl Disk for SimDisk {
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn File>> {
        let mut state = self.0.state.lock();
        if state.fail_checkpoints && name.ends_with(".checkpoint") {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.files.remove(name);
        let size = if state.no_fallocate { 0 } else { size };
        state.check_room(name, size as usize)?;
        let stored = Stored {
            seen: vec![0; size as usize],
            ..Stored::default()
        };
        state.files.insert(name.into(), stored);
        drop(state);
        self.0.changed.notify_all();
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        if !self.0.state.lock().files.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (disk, name) = (self.clone(), name.to_owned());
        Ok(Arc::new(SimFile { disk, name }))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.state.lock().files.keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let file = state.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.removed.insert(name.into(), file);
        self.step(&mut state);
        self.0.changed.notify_all();
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state
            .files
            .values_mut()
            .for_each(|file| file.name_durable = true);
        state.removed.clear();
        Ok(())
    }

    fn free(&self) -> Option<u64> {
        let state = self.0.state.lock();
        let used: usize = state.files.values().map(Stored::taken).sum();
        let free = state.capacity?.saturating_sub(used);
        Some(free as u64)
    }
}

impl File for SimFile {
    fn write_at(&self, bufs: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let mut state = self.disk.0.state.lock();
        let length: usize = bufs.iter().map(|buf| buf.len()).sum();
        state.check_room(&self.name, at as usize + length)?;
        let mut octets = Vec::new();
        bufs.iter().for_each(|buf| octets.extend_from_slice(buf));
        let file = state.file(&self.name)?;
        let (from, to) = (at as usize, at as usize + octets.len());
        if file.seen.len() < to {
            file.seen.resize(to, 0);
        }
        file.seen[from..to].copy_from_slice(&octets);
        let pages = from / PAGE..to.div_ceil(PAGE);
        file.stale.retain(|page| !pages.contains(page));
        self.disk.step(&mut state);
        Ok(octets.len())
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let mut state = self.disk.0.state.lock();
        let seen = &state.file(&self.name)?.seen;
        let from = seen.len().min(at as usize);
        let length = buf.len().min(seen.len() - from);
        buf[..length].copy_from_slice(&seen[from..from + length]);
        if self.name.ends_with(".journal") {
            state.journal_read += length as u64;
        }
        Ok(length)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.0.state.lock();
        while state.hold_syncs {
            self.disk.0.changed.wait(&mut state);
        }
        assert!(!state.panic_in_syncs, "a sync panics");
        // A cut during a sync: some of it has reached the platter.
        self.disk.step(&mut state);
        if state.fail_syncs {
            state.file(&self.name)?.fail_sync();
            return Err(io::Error::other("the disk is gone"));
        }
        *state.syncs.entry(self.name.clone()).or_default() += 1;
        // One that was removed is synced for nobody.
        if let Ok(file) = state.file(&self.name) {
            file.sync();
        }
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.0.state.lock();
        state.check_room(&self.name, length as usize)?;
        let file = state.file(&self.name)?;
        file.seen.resize(length as usize, 0);
        Ok(())
    }

    fn punch(&self, at: u64, length: u64) -> io::Result<()> {
        let mut state = self.disk.0.state.lock();
        if state.no_fallocate {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let file = state.file(&self.name)?;
        let (from, to) = (at as usize, (at + length) as usize);
        file.seen[from..to].fill(0);
        file.holes.extend(from.div_ceil(PAGE)..to / PAGE);
        self.disk.step(&mut state);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.0.state.lock().file(&self.name)?.seen.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.0.state.lock();
        let file = state.file(&self.name)?;
        file.seen.resize(len as usize, 0);
        Ok(())
    }
}
