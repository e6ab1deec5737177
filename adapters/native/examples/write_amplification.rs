//! Octets written to the disk over octets of messages: `write_amplification DIRECTORY`.
//!
//! In a run of five times the journal's size, once for messages that are retained and once for
//! messages that are settled at once; fails above 2.1 and 1.1. Linux counts what a process gives to
//! the disk in `/proc/self/io`; a file system in memory counts as none.

use std::{fs, path::Path, process::ExitCode};

use bytes::Bytes;
use standpipe_core::{
    entry::{Draft, Format},
    error::{ErrorKind, Result},
    id::{LogId, PartitionId, TopicId},
    store::{Commit, CommitSeq, Durability, Epoch, Op, Store},
};
use standpipe_native::store::{NativeStore, StoreOptions};

/// Octets of a message.
const BODY: usize = 4096;
/// Messages between two waits for the disk.
const WINDOW: u64 = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Retained,
    SettledAtOnce,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let directory = std::env::args().nth(1);
    let directory = directory.unwrap_or_else(|| "write-amplification".into());
    let mut code = ExitCode::SUCCESS;
    for (fate, most) in [(Fate::Retained, 2.1), (Fate::SettledAtOnce, 1.1)] {
        let ratio = run(Path::new(&directory), fate).await?;
        println!("{fate:?}: {ratio:.3} octets written for one of a message, at most {most}");
        if ratio > most {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

async fn run(directory: &Path, fate: Fate) -> Result<f64> {
    let options = StoreOptions::default();
    let octets = 5 * options.journal_bytes;
    let store = NativeStore::open(directory, options)?;
    let log = LogId {
        topic: TopicId::random(),
        partition: PartitionId(0),
    };
    let (before, body) = (written(), Bytes::from(vec![7; BODY]));
    let mut seq = CommitSeq(0);
    for n in 0..octets / BODY as u64 {
        let draft = Draft::single(Format::NATIVE, body.clone());
        let placed;
        (seq, placed) = submit(&store, seq, Op::Append { log, draft }).await?;
        if fate == Fate::SettledAtOnce && n % 16 == 15 {
            let below = placed.expect("an append has a place");
            (seq, _) = submit(&store, seq, Op::Trim { log, below }).await?;
        }
        if n % WINDOW == WINDOW - 1 {
            store.durable(seq, Durability::Disk).await?;
        }
    }
    store.close().await?;
    drop(store);
    let ratio = (written() - before) as f64 / octets as f64;
    fs::remove_dir_all(directory).expect("the store goes");
    Ok(ratio)
}

async fn submit(
    store: &NativeStore,
    before: CommitSeq,
    op: Op,
) -> Result<(CommitSeq, Option<standpipe_core::id::Offset>)> {
    loop {
        let submitted = store.submit(Commit {
            ops: vec![op.clone()],
            durability: Durability::Os,
            epoch: Epoch(1),
        });
        match submitted {
            Ok(submitted) => {
                let placed = submitted.placed.first();
                return Ok((submitted.seq, placed.map(|at| at.base_offset.next())));
            }
            Err(error) if error.kind() == ErrorKind::Throttled => {
                store.durable(before, Durability::Os).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Octets that this process has had written so far.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").expect("Linux");
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    let octets = line.and_then(|text| text.parse().ok());
    octets.expect("a number of octets")
}
