//! Single flipped bits in a store on real files, anywhere: each is found, located and isolated.
//!
//! `FLIPS` and `FLIPS_MB` say how many, and in how large a store.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use standpipe_core::{error::ErrorKind, id::Offset, store::Store};

use super::{
    ALL,
    filled::{Filled, options},
    log,
    sim::Random,
    targets::Targets,
};
use crate::store::{
    NativeStore,
    inspect::{Finding, Inspection, Severity},
};

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the flips did, for a person.
#[derive(Debug, Default)]
struct Tally {
    flips: u64,
    mended: u64,
    lost: u64,
    most_lost: u64,
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found_located_and_isolated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let octets = number("FLIPS_MB", 3) * 1_000_000;
    let filled = Filled::new(path, octets).await;
    let targets = Targets::of(path, octets).await;
    let mut random = Random(number("FLIPS_SEED", 5));
    let mut tally = Tally::default();
    for _ in 0..number("FLIPS", 60) {
        let (name, bit) = targets.pick(path, &mut random);
        let before = fs::read(path.join(&name)).unwrap();
        flip(path, &name, &before, bit);
        let place = format!("{name} bit {} of octet {}", bit % 8, bit / 8);
        let told = check(path, &name, &place);
        let lost = read_all_of_it(path, &filled, &name, &place).await;
        assert_eq!(told, lost, "{place}: a check tells what a reader misses");
        tally.count(lost.len() as u64);
        fs::write(path.join(&name), &before).unwrap();
    }
    println!("{tally:?} of {} messages each", filled.messages());
}

impl Tally {
    fn count(&mut self, lost: u64) {
        self.flips += 1;
        self.mended += u64::from(lost == 0);
        self.lost += lost;
        self.most_lost = self.most_lost.max(lost);
    }
}

fn flip(path: &Path, name: &str, before: &[u8], bit: u64) {
    let mut octets = before.to_vec();
    octets[(bit / 8) as usize] ^= 1 << (bit % 8);
    fs::write(path.join(name), octets).unwrap();
}

/// Log and offset of each message that cannot be told.
type Lost = BTreeSet<(u128, u64)>;

/// `store check` names the file; returns what it says is lost.
fn check(path: &Path, name: &str, place: &str) -> Lost {
    let mut found: Vec<Finding> = Vec::new();
    let inspection = Inspection::open(path).unwrap();
    inspection.check(|finding| found.push(finding)).unwrap();
    assert!(found.iter().any(|f| f.file == name), "{place}: {found:?}");
    let lost = found.into_iter().filter(|f| f.severity == Severity::Lost);
    let ranges = lost.filter_map(|f| Some((f.log?.topic.0.as_u128(), f.offsets?)));
    ranges
        .flat_map(|(log, range)| (range.start.0..range.end.0).map(move |at| (log, at)))
        .collect()
}

/// Every message is served as it was written, or reported with the file; returns the latter.
async fn read_all_of_it(path: &Path, filled: &Filled, name: &str, place: &str) -> Lost {
    let store = NativeStore::open(path, options(filled.octets));
    let store: Arc<NativeStore> = store.unwrap_or_else(|e| panic!("{place}: {e}"));
    let (mut served, mut lost) = (0, Lost::new());
    for n in 0..filled.logs() {
        let bounds = store.bounds(log(n)).await.unwrap();
        let mut next = bounds.start;
        while next < bounds.end {
            match store.read(log(n), next, ALL).await {
                Ok(entries) => {
                    for entry in &entries {
                        assert!(
                            entry.covers(next),
                            "{place}: {next} of log {n} is passed over"
                        );
                        assert!(filled.is_as_written(n, entry), "{place}: {next} of log {n}");
                        served += entry.end_offset().0 - next.0;
                        next = entry.end_offset();
                    }
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{place}: {error}");
                    assert!(error.message().contains(name), "{place}: {error}");
                    lost.insert((n, next.0));
                    next = Offset(next.0 + 1);
                }
            }
        }
    }
    assert_eq!(served + lost.len() as u64, filled.messages(), "{place}");
    lost
}
