//! A store that opens with damage goes on, and opens again with what it served.

use std::collections::BTreeSet;

use standpipe_core::{
    error::ErrorKind,
    id::Offset,
    store::{Durability, Expect, Op, Store},
};

use super::{
    ALL,
    accept::{count_all, damage, fill, start, wreck},
    append, commit, is_journal, is_segment, log, read_all,
    sim::{Random, SimDisk},
};
use crate::store::{NativeStore, vfs::Disk};

const COMMITS: u32 = 200;
/// Among offsets that are lost, one in so many is tried: each looks for a flipped bit that is not there.
const TRIED: u64 = 16;
/// In turn: within the journal, and until files move into segments.
const MORE: [u64; 3] = [3, 150, 3];

/// Offsets of a log that are served.
async fn served(store: &NativeStore, n: u128) -> BTreeSet<u64> {
    let bounds = store.bounds(log(n)).await.unwrap();
    let (mut served, mut next) = (BTreeSet::new(), bounds.start);
    while next < bounds.end {
        match store.read(log(n), next, ALL).await {
            Ok(entries) => {
                for entry in &entries {
                    served.extend(entry.base_offset.0..entry.end_offset().0);
                }
                next = entries.last().unwrap().end_offset();
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                next = next.plus(TRIED);
            }
        }
    }
    served
}

/// Wrecks some octets of one to three files, or removes one.
fn hurt(disk: &SimDisk, random: &mut Random) -> Vec<String> {
    let mut names = disk.file_names();
    names.retain(|name| is_journal(name) || is_segment(name));
    let mut hurt = Vec::new();
    for _ in 0..1 + random.below(3) {
        let name = names[random.below(names.len() as u64) as usize].clone();
        if random.below(8) == 0 {
            // One that is gone already is gone.
            let _ = Disk::remove(disk, &name);
            hurt.push(format!("{name} is gone"));
        } else if disk.file_names().contains(&name) {
            let length = disk.octets(&name).len() as u64;
            let count = 1 + random.below(40.min(length));
            let at = random.below(length - count + 1);
            wreck(disk, &name, at as usize, count as usize);
            hurt.push(format!("{name} at {at}, {count} octets"));
        }
    }
    hurt
}

/// Commits to another log, and a key.
async fn go_on(store: &NativeStore, from: u64, count: u64) {
    for n in from..from + count {
        let key = Op::PutIf {
            key: n.to_be_bytes().to_vec().into(),
            expect: Expect::Any,
            value: Some(vec![7].into()),
        };
        let ops = vec![key, append(log(3), vec![n as u8; 100])];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_opens_with_damage_goes_on_and_opens_again() {
    let whole = SimDisk::default();
    fill(&whole, COMMITS).await;
    let counted = whole.copy();
    count_all(&counted);
    let rounds = std::env::var("FLIPS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(12);
    let (mut random, mut opened) = (Random(11), 0);
    for round in 0..rounds {
        let disk = [&whole, &counted][round % 2].copy();
        let hurt = hurt(&disk, &mut random);
        let Ok(store) = start(&disk) else {
            continue;
        };
        opened += 1;
        let before = [served(&store, 1).await, served(&store, 2).await];
        store.close().await.unwrap();
        let told = damage(&disk).len();
        let mut written = 0;
        for more in MORE {
            let store = start(&disk).unwrap_or_else(|e| panic!("{round}: {hurt:?}: {e}"));
            let now = [served(&store, 1).await, served(&store, 2).await];
            assert_eq!(now, before, "{round}: {hurt:?}");
            go_on(&store, written, more).await;
            written += more;
            let read = read_all(&store, log(3), Offset::ZERO).await;
            assert_eq!(read.len() as u64, written, "{round}: {hurt:?}");
            store.close().await.unwrap();
            assert_eq!(damage(&disk).is_empty(), told == 0, "{round}: {hurt:?}");
        }
    }
    assert!(opened > rounds / 4, "{opened} of {rounds} opened at all");
}
