//! Fills one queue and empties it: `backlog DIRECTORY [MESSAGES] [OCTETS]`, in a fresh directory.
//!
//! Prints one JSON object: rates of publishing into an empty and into a full queue, of consuming at
//! a steady depth and of draining the backlog, and the most memory that the process had (`VmHWM`).

use std::{collections::VecDeque, env, sync::Arc, time::Instant};

use bytes::Bytes;
use standpipe_core::{
    broker::{
        Attach, Attachment, Broker, Confirm, Credit, LaneId, Options, Publish, QueueSpec,
        Subscription, Target,
    },
    codec::Codecs,
    driver::Settlement,
    entry::{Draft, Format},
    error::Result,
    store::Durability,
};
use standpipe_native::store::{NativeStore, StoreOptions};

/// Confirms in flight, as a producer with a window has them.
const WINDOW: usize = 4096;
/// Messages settled together.
const SETTLED: usize = 256;

/// What the process may have, however much waits.
const LIMIT_KB: u64 = 200_000;

struct Load {
    broker: Broker,
    queue: Arc<Subscription>,
    body: Bytes,
}

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
    let mut attachment = load.attach()?;
    load.consume(&mut attachment, sample).await?;
    let empty = load.publish(sample).await?;
    let steady = load.consume(&mut attachment, sample).await?;
    drop(attachment);
    load.publish(messages - sample).await?;
    let full = load.publish(sample).await?;
    let mut attachment = load.attach()?;
    let drain = load.consume(&mut attachment, messages).await?;
    println!(
        "{{\"messages\":{messages},\"octets\":{octets},\"publish_empty\":{empty:.0},\"publish_full\":{full:.0},\"consume_steady\":{steady:.0},\"drain\":{drain:.0},\"peak_kb\":{}}}",
        peak_kb()
    );
    assert!(peak_kb() < LIMIT_KB, "more than {LIMIT_KB} KB of memory");
    load.broker.shutdown().await
}

impl Load {
    async fn open(store: Arc<NativeStore>, octets: usize) -> Result<Self> {
        let broker = Broker::open(store, Codecs::default(), Options::default()).await?;
        let spec = QueueSpec::new("/", "backlog");
        let queue = broker.declare_queue(spec).await?.subscription;
        Ok(Self {
            broker,
            queue,
            body: Bytes::from(vec![b'x'; octets]),
        })
    }

    /// Publishes `count` messages; returns how many a second.
    async fn publish(&self, count: usize) -> Result<f64> {
        let started = Instant::now();
        let mut flying: VecDeque<Confirm> = VecDeque::with_capacity(WINDOW);
        for _ in 0..count {
            if flying.len() == WINDOW {
                for confirm in flying.drain(..WINDOW / 2) {
                    confirm.wait().await?;
                }
            }
            let admission = self.broker.admit(self.body.len()).await?;
            let published = self.broker.publish(Publish {
                namespace: "/",
                target: Target::Topic("backlog"),
                draft: Draft::single(Format::NATIVE, self.body.clone()),
                key: None,
                lane: LaneId(0),
                durability: Some(Durability::Disk),
                admission,
            })?;
            flying.push_back(published.confirm);
        }
        for confirm in flying {
            confirm.wait().await?;
        }
        Ok(count as f64 / started.elapsed().as_secs_f64())
    }

    fn attach(&self) -> Result<Attachment> {
        let attach = Attach {
            owner: self.broker.new_owner(),
            credit: Credit::window(1000),
            exclusive: false,
            lease: None,
        };
        self.broker.attach(&self.queue, attach)
    }

    /// Receives and settles `count` messages; returns how many a second.
    async fn consume(&self, attachment: &mut Attachment, count: usize) -> Result<f64> {
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
            drop(self.queue.settle(settled.collect())?);
        }
        Ok(count as f64 / started.elapsed().as_secs_f64())
    }
}

/// The most memory that this process had, mapped files included.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
