//! Power cuts: what was confirmed is there, in order, and commits are whole or absent.

use std::sync::Arc;

use standpipe_core::{
    id::Offset,
    store::{CommitSeq, Durability, Store},
};

use super::{
    commit, log,
    model::Model,
    recovery::open,
    sim::{Random, SimDisk},
};
use crate::store::{NativeStore, header::FILE_HEADER, position::journal_number};

/// One in so many commits waits for the disk, or for another that does: the fewer, the more files
/// hold something that is not synced when the cut comes.
const SYNCED: [u64; 4] = [2, 6, 30, 150];

/// Runs commits until the cut, and opens the store again now and then; returns how many commits
/// were confirmed before it.
async fn run(disk: &SimDisk, random: &mut Random, model: &mut Model, synced: u64) -> usize {
    let mut store = open(disk);
    let mut confirmed = model.commits();
    let mut waiting: Option<(CommitSeq, usize)> = None;
    while !disk.was_cut() {
        let level = match random.below(synced) {
            0 => Durability::Disk,
            odd if odd % 2 == 1 => Durability::Os,
            _ => Durability::Memory,
        };
        let submitted = store.submit(commit(level, model.next(random))).unwrap();
        if random.below(3) == 0 {
            store.durable(submitted.seq, Durability::Os).await.unwrap();
        }
        if let Some((seq, earlier)) = waiting.take_if(|_| random.below(synced + 1) == 0) {
            store.durable(seq, Durability::Disk).await.unwrap();
            if !disk.was_cut() {
                confirmed = earlier;
            }
        }
        waiting.get_or_insert((submitted.seq, model.commits()));
        if random.below(60) == 0 {
            waiting = None;
            store.close().await.unwrap();
            if !disk.was_cut() {
                confirmed = model.commits();
            }
            drop(store);
            store = open(disk);
        }
    }
    confirmed
}

/// The last journal file with anything behind its header.
fn last_used(disk: &SimDisk) -> Option<String> {
    let mut names = disk.file_names();
    names.retain(|name| journal_number(name).is_some());
    let used = |name: &String| disk.octets(name).iter().skip(FILE_HEADER).any(|o| *o != 0);
    names.into_iter().rfind(used)
}

/// The store holds what some number of commits left, of which all that were confirmed.
async fn check(store: Arc<NativeStore>, confirmed: usize, random: &mut Random, model: &mut Model) {
    let submitted = model.commits();
    let end = store.bounds(log(0)).await.unwrap().end;
    model.rewind(end);
    let kept = confirmed..=submitted;
    assert!(
        kept.contains(&model.commits()),
        "{} of {kept:?}",
        model.commits()
    );
    model.check(&store, random).await;
    assert!(store.bounds(log(9)).await.unwrap().end == Offset::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_confirmed_survives_200_power_cuts_in_whole_commits() {
    let seeds = std::env::var("POWER_SEEDS").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(200);
    let mut over_files = 0;
    for seed in 0..seeds {
        let mut random = Random(seed);
        // One in eight neither reserves space nor gives it back.
        let mut disk = match seed % 8 {
            5 => SimDisk::without_fallocate(),
            _ => SimDisk::default(),
        };
        let synced = SYNCED[(seed / 8) as usize % SYNCED.len()];
        // A third lets hardly anything go: a checkpoint then counts less than what was committed.
        let mut model = Model::new([1, 1, 200][seed as usize % 3]);
        for round in 0..2 {
            // Half of the runs are long enough for segments and checkpoints.
            let steps = [40, 400][(seed % 2) as usize];
            disk.cut_at(1 + random.below(steps), seed + round);
            let confirmed = run(&disk, &mut random, &mut model, synced).await;
            disk = disk.after_cut(seed);
            let before = last_used(&disk);
            // A second cut while it recovers, or just behind, changes nothing.
            disk.cut_at(1 + random.below(12), seed + round);
            drop(open(&disk));
            over_files += u64::from(last_used(&disk) < before);
            disk = disk.after_cut(seed + 1);
            check(open(&disk), confirmed, &mut random, &mut model).await;
        }
    }
    println!("{over_files} of {} cuts took whole files", 2 * seeds);
    assert!(
        over_files * 10 > seeds,
        "only {over_files} cuts took whole files"
    );
}
