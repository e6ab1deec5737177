//! Power cuts: what was confirmed is there, in order, and commits are whole or absent.

use standpipe_core::{
    id::Offset,
    store::{CommitSeq, Durability, Store},
};

use super::{
    ALL, append, commit, log,
    recovery::open,
    sim::{Random, SimDisk},
};
use crate::store::NativeStore;

const LOGS: u128 = 3;

/// Runs commits until the cut; returns how many were confirmed before it, and submitted.
async fn run(store: &NativeStore, disk: &SimDisk, random: &mut Random, first: u64) -> (u64, u64) {
    let (mut confirmed, mut number) = (first, first);
    let mut waiting: Option<(CommitSeq, u64)> = None;
    while !disk.was_cut() {
        let body = |log: u128| {
            let mut body = vec![b'.'; 16 + (number as usize * 37 + log as usize) % 1500];
            body[..8].copy_from_slice(&number.to_be_bytes());
            body
        };
        let ops = (0..LOGS).map(|n| append(log(n), body(n))).collect();
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

/// Every log holds the same commits, from the first on, none missing.
async fn check(store: &NativeStore, confirmed: u64, submitted: u64) -> u64 {
    let mut ends = Vec::new();
    for n in 0..LOGS {
        let mut next = Offset::ZERO;
        loop {
            let entries = store.read(log(n), next, ALL).await.unwrap();
            let Some(last) = entries.last() else { break };
            let end = last.end_offset();
            for entry in &entries {
                assert_eq!(entry.base_offset, next);
                assert_eq!(entry.body()[..8], next.0.to_be_bytes());
                next = entry.end_offset();
            }
            assert_eq!(next, end);
        }
        ends.push(next.0);
    }
    assert!(
        ends.iter().all(|end| *end == ends[0]),
        "a commit is torn: {ends:?}"
    );
    let kept = confirmed..=submitted;
    assert!(kept.contains(&ends[0]), "{} is not in {kept:?}", ends[0]);
    ends[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_confirmed_survives_200_power_cuts_in_whole_commits() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let (mut disk, mut kept) = (SimDisk::default(), 0);
        for round in 0..2 {
            let store = open(&disk);
            disk.cut_at(1 + random.below(40), seed + round);
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
