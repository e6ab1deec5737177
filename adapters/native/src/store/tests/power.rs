//! Power cuts: what was confirmed is there, in order, and commits are whole or absent.

use standpipe_core::{
    id::Offset,
    store::{CommitSeq, Durability, Op, Store},
};

use super::{
    append, commit, log, read_all,
    recovery::open,
    sim::{Random, SimDisk},
};
use crate::store::NativeStore;

const LOGS: u128 = 3;
/// The log in which stretches are forgotten.
const FORGETFUL: u128 = 2;

/// Runs commits until the cut; returns how many were confirmed before it, and submitted.
async fn run(store: &NativeStore, disk: &SimDisk, random: &mut Random, first: u64) -> (u64, u64) {
    let (mut confirmed, mut number) = (first, first);
    let start = store.bounds(log(0)).await.unwrap().start.0;
    let mut trimmed = start;
    let mut waiting: Option<(CommitSeq, u64)> = None;
    while !disk.was_cut() {
        let body = |log: u128| {
            let mut body = vec![b'.'; 16 + (number as usize * 37 + log as usize) % 1500];
            body[..8].copy_from_slice(&number.to_be_bytes());
            body
        };
        let mut ops: Vec<_> = (0..LOGS).map(|n| append(log(n), body(n))).collect();
        if random.below(20) == 0 {
            trimmed += random.below(number - trimmed + 1);
            let below = Offset(trimmed);
            ops.extend((0..LOGS).map(|n| Op::Trim { log: log(n), below }));
        }
        if random.below(20) == 0 {
            let from = trimmed + random.below(number - trimmed + 1);
            let range = Offset(from)..Offset(from + random.below(number - from + 1));
            let log = log(FORGETFUL);
            ops.push(Op::Forget { log, range });
        }
        let level = [Durability::Os, Durability::Disk][random.below(2) as usize];
        let submitted = store.submit(commit(level, ops)).unwrap();
        number += 1;
        if random.below(3) == 0 {
            store.durable(submitted.seq, Durability::Os).await.unwrap();
        }
        if let Some((seq, earlier)) = waiting.take_if(|_| random.below(3) == 0) {
            store.durable(seq, Durability::Disk).await.unwrap();
            if !disk.was_cut() {
                confirmed = earlier + 1;
            }
        }
        waiting.get_or_insert((submitted.seq, number - 1));
    }
    (confirmed, number)
}

/// Every log holds the same commits from its start on, none missing but what was forgotten.
async fn check(store: &NativeStore, confirmed: u64, submitted: u64) -> u64 {
    let mut ends = Vec::new();
    for n in 0..LOGS {
        let bounds = store.bounds(log(n)).await.unwrap();
        let mut next = bounds.start;
        for entry in read_all(store, log(n), bounds.start).await {
            assert!(entry.base_offset == next || n == FORGETFUL);
            assert_eq!(entry.body()[..8], entry.base_offset.0.to_be_bytes());
            next = entry.end_offset();
        }
        assert!(next == bounds.end || n == FORGETFUL, "{next} of {bounds:?}");
        ends.push((bounds.start.0, bounds.end.0));
    }
    assert!(
        ends.iter().all(|end| *end == ends[0]),
        "a commit is torn: {ends:?}"
    );
    let kept = confirmed..=submitted;
    assert!(kept.contains(&ends[0].1), "{ends:?} is not in {kept:?}");
    ends[0].1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_confirmed_survives_200_power_cuts_in_whole_commits() {
    let seeds = std::env::var("POWER_SEEDS").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(200);
    for seed in 0..seeds {
        let mut random = Random(seed);
        let (mut disk, mut kept) = (SimDisk::default(), 0);
        for round in 0..2 {
            let store = open(&disk);
            // Half of the runs are long enough for segments and checkpoints.
            let steps = [40, 400][(seed % 2) as usize];
            disk.cut_at(1 + random.below(steps), seed + round);
            let (confirmed, submitted) = run(&store, &disk, &mut random, kept).await;
            drop(store);
            disk = disk.after_cut(seed);
            // A second cut while it recovers changes nothing.
            drop(open(&disk));
            disk = disk.after_cut(seed + 1);
            kept = check(&open(&disk), confirmed, submitted).await;
        }
    }
}
