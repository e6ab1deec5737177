//! Measures the native store: `store_speed DIRECTORY [OCTETS] [COMMITS]`, in a fresh directory.

use std::{env, time::Instant};

use bytes::Bytes;
use standpipe_core::{
    entry::{Draft, Format},
    error::{ErrorKind, Result},
    id::{LogId, Offset, PartitionId, TopicId},
    store::{Commit, CommitSeq, Durability, Epoch, Op, ReadLimit, Store},
};
use standpipe_native::store::{NativeStore, StoreOptions};

#[tokio::main]
async fn main() -> Result<()> {
    let argument = |n: usize, default: usize| {
        let given = env::args().nth(n).and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let directory = env::args().nth(1).unwrap_or_else(|| "store-speed".into());
    let (octets, commits) = (argument(2, 1024), argument(3, 200_000));
    let log = LogId {
        topic: TopicId::random(),
        partition: PartitionId(0),
    };
    let started = Instant::now();
    let store = NativeStore::open(&directory, StoreOptions::default())?;
    println!("open: {:?}", started.elapsed());
    for level in [Durability::Os, Durability::Disk] {
        append(&*store, log, level, octets, commits).await?;
    }
    latency(&*store, log, octets).await?;
    read(&*store, log).await?;
    store.close().await?;
    drop(store);
    let started = Instant::now();
    let store = NativeStore::open(&directory, StoreOptions::default())?;
    println!("open again: {:?}", started.elapsed());
    store.close().await
}

fn commit(log: LogId, body: &Bytes, durability: Durability) -> Commit {
    let draft = Draft::single(Format::NATIVE, body.clone());
    Commit {
        ops: vec![Op::Append { log, draft }],
        durability,
        epoch: Epoch(1),
    }
}

async fn append(
    store: &dyn Store,
    log: LogId,
    level: Durability,
    octets: usize,
    commits: usize,
) -> Result<()> {
    let (body, started, mut last) = (Bytes::from(vec![7; octets]), Instant::now(), CommitSeq(0));
    for _ in 0..commits {
        last = loop {
            match store.submit(commit(log, &body, level)) {
                Ok(submitted) => break submitted.seq,
                Err(error) if error.kind() == ErrorKind::Throttled => {
                    store.durable(last, level).await?;
                }
                Err(error) => return Err(error),
            }
        };
    }
    store.durable(last, level).await?;
    let seconds = started.elapsed().as_secs_f64();
    let (rate, mb) = (commits as f64 / seconds, (commits * octets) as f64 / 1e6);
    println!(
        "append {level:?}: {rate:.0} commits/s, {:.0} MB/s",
        mb / seconds
    );
    Ok(())
}

async fn latency(store: &dyn Store, log: LogId, octets: usize) -> Result<()> {
    let body = Bytes::from(vec![7; octets]);
    let mut times = Vec::new();
    for _ in 0..500 {
        let started = Instant::now();
        let seq = store.submit(commit(log, &body, Durability::Disk))?.seq;
        store.durable(seq, Durability::Disk).await?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    println!(
        "one at a time, synced: p50 {:?}, p99 {:?}",
        times[250], times[495]
    );
    Ok(())
}

async fn read(store: &dyn Store, log: LogId) -> Result<()> {
    let (started, mut octets, mut next) = (Instant::now(), 0, Offset::ZERO);
    let limit = ReadLimit {
        bytes: 1024 * 1024,
        entries: 4096,
    };
    loop {
        let entries = store.read(log, next, limit).await?;
        let Some(last) = entries.last() else { break };
        next = last.end_offset();
        octets += entries
            .iter()
            .map(|entry| entry.body().len())
            .sum::<usize>();
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "read: {} entries, {:.0} MB/s",
        next,
        octets as f64 / 1e6 / seconds
    );
    Ok(())
}
