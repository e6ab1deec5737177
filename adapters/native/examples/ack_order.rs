//! Settles a queue in random order: `ack_order DIRECTORY [MESSAGES] [WINDOW]`, in a fresh directory.
//!
//! At most `WINDOW` messages are unsettled at once, and one in [`KEPT`] never is. Prints one JSON
//! object: how many a second were settled, octets on disk five seconds later, how long the store took
//! to open again, how many messages it then has, and the most memory that the process had (`VmHWM`).

mod load;

use std::{
    env, fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use load::{Load, assert_small, peak_kb};
use standpipe_core::{broker::Attachment, dispatcher::Receipt, driver::Settlement, error::Result};
use standpipe_native::store::{NativeStore, StoreOptions};

/// One message in so many is never settled.
const KEPT: u64 = 10_000;
const OCTETS: usize = 100;
/// After which the space of what was settled is to be back.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<()> {
    let argument = |n: usize, default: usize| {
        let given = env::args().nth(n).and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let directory = env::args().nth(1).unwrap_or_else(|| "ack-order".into());
    let (messages, window) = (argument(2, 1_000_000), argument(3, 100_000));
    let load = Load::open(open(&directory)?, OCTETS).await?;
    load.publish(messages).await?;
    // Those that are kept take of it, too.
    let kept = messages as u64 / KEPT * 2;
    let mut attachment = load.attach(window as u64 + kept + 100)?;
    let started = Instant::now();
    let settled = settle(&load, &mut attachment, messages, window).await?;
    let rate = settled as f64 / started.elapsed().as_secs_f64();
    drop(attachment);
    tokio::time::sleep(PATIENCE).await;
    let stored = stored(&directory);
    load.broker.shutdown().await?;
    drop(load);
    let started = Instant::now();
    let load = Load::open(open(&directory)?, OCTETS).await?;
    let opened = started.elapsed().as_secs_f64();
    let left = load.queue.counts().ready;
    println!(
        "{{\"messages\":{messages},\"settled\":{settled},\"rate\":{rate:.0},\"left\":{left},\"stored\":{stored},\"opened\":{opened:.3},\"peak_kb\":{}}}",
        peak_kb()
    );
    assert_eq!(
        left as usize + settled,
        messages,
        "settled ones came back, or others are gone"
    );
    assert_small();
    load.broker.shutdown().await
}

fn open(directory: &str) -> Result<Arc<NativeStore>> {
    NativeStore::open(directory, StoreOptions::default())
}

/// Settles one of those at hand at random, and again, until all but those that are kept are.
async fn settle(
    load: &Load,
    attachment: &mut Attachment,
    messages: usize,
    window: usize,
) -> Result<usize> {
    let (mut random, mut held) = (Random(7), Vec::<Receipt>::with_capacity(window));
    let (mut received, mut settled) = (0, 0);
    while received < messages || !held.is_empty() {
        while received < messages && held.len() < window {
            let more = attachment.recv((window - held.len()).min(256)).await;
            let Some(more) = more else {
                return Ok(settled);
            };
            received += more.len();
            held.extend(more.iter().map(|delivery| delivery.receipt));
        }
        let some = (0..held.len().min(256)).filter_map(|_| {
            let at = random.below(held.len() as u64) as usize;
            let receipt = held.swap_remove(at);
            (random.below(KEPT) > 0).then_some((receipt, Settlement::Ack))
        });
        let some: Vec<_> = some.collect();
        settled += some.len();
        drop(load.queue.settle(some)?);
    }
    Ok(settled)
}

/// Octets that the files take, holes left out.
fn stored(directory: &str) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = fs::read_dir(Path::new(directory)).expect("the directory");
    let blocks = files.map(|file| file.and_then(|f| f.metadata()).map_or(0, |m| m.blocks()));
    blocks.sum::<u64>() * 512
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}
