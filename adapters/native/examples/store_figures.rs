//! The store beside the disk that it stands on: `store_figures DIRECTORY [ROUNDS [ONLY]]`; `ONLY` is
//! part of the name of what to measure.
//!
//! Measures, in one run and in interleaved pairs, what the store reaches and what plain writes and
//! reads of the same files reach, and prints the median ratio of each pair with its spread.

use std::{
    env, fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use standpipe_core::{
    checksum::crc32c,
    entry::{Draft, Format},
    error::{ErrorKind, Result},
    id::{LogId, Offset, PartitionId, TopicId},
    store::{Commit, CommitSeq, Durability, Epoch, Op, ReadLimit, Store},
};
use standpipe_native::store::{NativeStore, StoreOptions};

/// As the daemon has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MB: usize = 1_000_000;
/// What fits the journal, and ten times that.
const BURST: usize = 128 * MB;
const LONG: usize = 2_560 * MB;
const PRODUCERS: usize = 64;
/// Commits that a producer has in flight.
const WINDOW: usize = 64;

struct Bench {
    directory: PathBuf,
    rounds: usize,
    only: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let directory = env::args().nth(1).unwrap_or_else(|| "store-figures".into());
    let rounds = env::args().nth(2).and_then(|text| text.parse().ok());
    let bench = Bench {
        directory: directory.into(),
        rounds: rounds.unwrap_or(3),
        only: env::args().nth(3).unwrap_or_default(),
    };
    fs::create_dir_all(&bench.directory).expect("a directory");
    use Durability::{Disk, Os};
    for (what, level, octets) in [
        ("append, disk, burst", Disk, BURST),
        ("append, disk, ten times the journal", Disk, LONG),
        ("append, os, burst", Os, BURST),
        ("append, os, ten times the journal", Os, LONG),
    ] {
        bench.append(what, level, octets).await?;
    }
    bench.topics("1,000 topics over one").await?;
    let latency = "one synced commit of 1 KB, p50, over a 4-KB write";
    bench.latency(latency).await?;
    for (what, body) in [
        ("sequential read, 1 KB", 1_000),
        ("sequential read, 64 KB", 64_000),
    ] {
        bench.read(what, body).await?;
    }
    Ok(())
}

impl Bench {
    /// Octets a second, ours over plain ones.
    async fn append(&self, what: &str, level: Durability, octets: usize) -> Result<()> {
        let mut pairs = Vec::new();
        if !what.contains(&self.only) {
            return Ok(());
        }
        for _ in 0..self.rounds {
            let raw = raw_write(&self.file(), octets, level == Durability::Disk);
            pairs.push((self.store_append(level, octets, 1).await?, raw));
        }
        report(what, "MB/s", &pairs);
        Ok(())
    }

    async fn store_append(&self, level: Durability, octets: usize, logs: usize) -> Result<f64> {
        let (path, store) = self.fresh()?;
        let logs: Arc<Vec<LogId>> = Arc::new((0..logs).map(|_| new_log()).collect());
        let count = octets / 1000 / PRODUCERS;
        let started = Instant::now();
        let producers = (0..PRODUCERS).map(|at| {
            let (store, logs) = (store.clone(), logs.clone());
            let body = Bytes::from(vec![7; 1000]);
            tokio::spawn(async move { produce(&*store, &logs, at, level, &body, count).await })
        });
        for producer in producers.collect::<Vec<_>>() {
            producer.await.expect("a producer ends")?;
        }
        let rate = (count * PRODUCERS) as f64 / 1e3 / started.elapsed().as_secs_f64();
        store.close().await?;
        drop(store);
        fs::remove_dir_all(path).expect("the store goes");
        Ok(rate)
    }

    /// A thousand logs over one.
    async fn topics(&self, what: &str) -> Result<()> {
        let mut pairs = Vec::new();
        if !what.contains(&self.only) {
            return Ok(());
        }
        for _ in 0..self.rounds {
            let one = self.store_append(Durability::Disk, 2 * BURST, 1).await?;
            let many = self.store_append(Durability::Disk, 2 * BURST, 1000).await?;
            pairs.push((many, one));
        }
        report(what, "MB/s", &pairs);
        Ok(())
    }

    /// The median of single synced commits over that of single synced writes.
    async fn latency(&self, what: &str) -> Result<()> {
        let mut pairs = Vec::new();
        if !what.contains(&self.only) {
            return Ok(());
        }
        for _ in 0..self.rounds {
            let raw = raw_latency(&self.file());
            let (path, store) = self.fresh()?;
            let log = new_log();
            let mut times = Vec::new();
            for _ in 0..300 {
                let started = Instant::now();
                let seq = store
                    .submit(commit(log, Bytes::from(vec![7; 1000]), Durability::Disk))?
                    .seq;
                store.durable(seq, Durability::Disk).await?;
                times.push(started.elapsed());
            }
            pairs.push((median(times), raw));
            store.close().await?;
            drop(store);
            fs::remove_dir_all(path).expect("the store goes");
        }
        report(what, "us", &pairs);
        Ok(())
    }

    /// Octets of bodies a second from segments, over plain reads of these from the page cache.
    async fn read(&self, what: &str, body: usize) -> Result<()> {
        if !what.contains(&self.only) {
            return Ok(());
        }
        let (path, store) = self.fresh()?;
        let log = new_log();
        let body = Bytes::from(vec![7; body]);
        let count = 4 * BURST / body.len();
        produce(&*store, &[log], 0, Durability::Os, &body, count).await?;
        // What follows pushes it out of the journal.
        produce(&*store, &[new_log()], 0, Durability::Os, &body, count / 2).await?;
        let (mut pairs, mut summed) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let raw = raw_read(&path, |_| ());
            let with_sum = raw_read(&path, |piece| {
                std::hint::black_box(crc32c(piece));
            });
            summed.push((with_sum, raw));
            let started = Instant::now();
            let (mut octets, mut next) = (0, Offset::ZERO);
            let limit = ReadLimit {
                bytes: 1 << 20,
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
            pairs.push((octets as f64 / 1e6 / started.elapsed().as_secs_f64(), raw));
        }
        store.close().await?;
        drop(store);
        fs::remove_dir_all(path).expect("the store goes");
        report(what, "MB/s", &pairs);
        // Nothing is served that was not verified: this much is possible.
        report("  plain reads with a CRC-32C of all", "MB/s", &summed);
        Ok(())
    }

    fn fresh(&self) -> Result<(PathBuf, Arc<NativeStore>)> {
        let path = self.directory.join("store");
        let store = NativeStore::open(&path, StoreOptions::default())?;
        Ok((path, store))
    }

    fn file(&self) -> PathBuf {
        self.directory.join("plain")
    }
}

async fn produce(
    store: &dyn Store,
    logs: &[LogId],
    producer: usize,
    level: Durability,
    body: &Bytes,
    count: usize,
) -> Result<()> {
    let mut last = CommitSeq(0);
    for n in 0..count {
        let log = logs[(producer + n * PRODUCERS) % logs.len()];
        last = loop {
            match store.submit(commit(log, body.clone(), level)) {
                Ok(submitted) => break submitted.seq,
                Err(error) if error.kind() == ErrorKind::Throttled => {
                    store.durable(last, level).await?
                }
                Err(error) => return Err(error),
            }
        };
        if n % WINDOW == WINDOW - 1 {
            store.durable(last, level).await?;
        }
    }
    store.durable(last, level).await
}

fn commit(log: LogId, body: Bytes, durability: Durability) -> Commit {
    let draft = Draft::single(Format::NATIVE, body);
    Commit {
        ops: vec![Op::Append { log, draft }],
        durability,
        epoch: Epoch(1),
    }
}

fn new_log() -> LogId {
    LogId {
        topic: TopicId::random(),
        partition: PartitionId(0),
    }
}

/// Writes of 1 MB, each synced or none.
fn raw_write(path: &Path, octets: usize, sync: bool) -> f64 {
    let piece = vec![7; MB];
    let mut file = fs::File::create(path).expect("a file");
    let started = Instant::now();
    for _ in 0..octets / MB {
        file.write_all(&piece).expect("a write");
        if sync {
            file.sync_data().expect("a sync");
        }
    }
    let rate = octets as f64 / 1e6 / started.elapsed().as_secs_f64();
    fs::remove_file(path).expect("the file goes");
    rate
}

fn raw_latency(path: &Path) -> f64 {
    let piece = [7; 4096];
    let mut file = fs::File::create(path).expect("a file");
    file.set_len(4096 * 300).expect("a length");
    let times = (0..300).map(|_| {
        let started = Instant::now();
        file.write_all(&piece).expect("a write");
        file.sync_data().expect("a sync");
        started.elapsed()
    });
    let middle = median(times.collect());
    fs::remove_file(path).expect("the file goes");
    middle
}

/// All segments in a folder, in pieces of 1 MB, each of which `see` sees.
fn raw_read(folder: &Path, see: impl Fn(&[u8])) -> f64 {
    let mut piece = vec![0; MB];
    let (mut octets, started) = (0, Instant::now());
    let found = fs::read_dir(folder).expect("a folder");
    let paths = found.map(|entry| entry.expect("a name").path());
    for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "segment")) {
        let mut file = fs::File::open(path).expect("a file");
        loop {
            match file.read(&mut piece).expect("a read") {
                0 => break,
                read => {
                    see(&piece[..read]);
                    octets += read;
                }
            }
        }
    }
    octets as f64 / 1e6 / started.elapsed().as_secs_f64()
}

/// Microseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn report(what: &str, unit: &str, pairs: &[(f64, f64)]) {
    let sorted = |of: &dyn Fn(&(f64, f64)) -> f64| {
        let mut values: Vec<_> = pairs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (ours, theirs) = (sorted(&|pair| pair.0), sorted(&|pair| pair.1));
    let ratios = sorted(&|pair| pair.0 / pair.1);
    let middle = pairs.len() / 2;
    println!(
        "{what}: {:.2} [{:.2}..{:.2}]  ({:.0} of {:.0} {unit})",
        ratios[middle],
        ratios[0],
        ratios[ratios.len() - 1],
        ours[middle],
        theirs[middle]
    );
}
