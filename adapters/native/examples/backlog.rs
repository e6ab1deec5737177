//! Fills one queue and empties it: `backlog DIRECTORY [MESSAGES] [OCTETS]`, in a fresh directory.
//!
//! Prints one JSON object: rates of publishing into an empty and into a full queue, of consuming at
//! a steady depth and of draining the backlog, and the most memory that the process had (`VmHWM`).

mod load;

use std::{env, time::Instant};

use load::{Load, assert_small, peak_kb};
use standpipe_core::{broker::Attachment, driver::Settlement, error::Result};
use standpipe_native::store::{NativeStore, StoreOptions};

/// Messages settled together.
const SETTLED: usize = 256;
/// Messages that the consumer has unsettled at most.
const WINDOW: u64 = 1000;

#[tokio::main]
async fn main() -> Result<()> {
    let argument = |n: usize, default: usize| {
        let given = env::args().nth(n).and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let directory = env::args().nth(1).unwrap_or_else(|| "backlog".into());
    let (messages, octets) = (argument(2, 1_000_000), argument(3, 16));
    let store = NativeStore::open(&directory, StoreOptions::default())?;
    let load = Load::open(store, octets).await?;
    let sample = (messages / 10).clamp(1, 1_000_000);
    // A queue that is emptied as it is filled, then the same again with everything waiting.
    load.publish(sample).await?;
    let mut attachment = load.attach(WINDOW)?;
    consume(&load, &mut attachment, sample).await?;
    let empty = load.publish(sample).await?;
    let steady = consume(&load, &mut attachment, sample).await?;
    drop(attachment);
    load.publish(messages - sample).await?;
    let full = load.publish(sample).await?;
    let mut attachment = load.attach(WINDOW)?;
    let drain = consume(&load, &mut attachment, messages).await?;
    println!(
        "{{\"messages\":{messages},\"octets\":{octets},\"publish_empty\":{empty:.0},\"publish_full\":{full:.0},\"consume_steady\":{steady:.0},\"drain\":{drain:.0},\"peak_kb\":{}}}",
        peak_kb()
    );
    assert_small();
    load.broker.shutdown().await
}

/// Receives and settles `count` messages; returns how many a second.
async fn consume(load: &Load, attachment: &mut Attachment, count: usize) -> Result<f64> {
    let started = Instant::now();
    let mut left = count;
    while left > 0 {
        let Some(deliveries) = attachment.recv(SETTLED.min(left)).await else {
            break;
        };
        left -= deliveries.len();
        let settled = deliveries
            .iter()
            .map(|delivery| (delivery.receipt, Settlement::Ack));
        drop(load.queue.settle(settled.collect())?);
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}
