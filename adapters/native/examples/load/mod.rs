//! A queue on a native store, for programs that fill it: they are no tests, since they take minutes.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;
use standpipe_core::{
    broker::{
        Attach, Attachment, Broker, Confirm, Credit, LaneId, Options, Publish, QueueSpec,
        Subscription, Target,
    },
    codec::Codecs,
    entry::{Draft, Format},
    error::Result,
    store::Durability,
};
use standpipe_native::store::NativeStore;

/// Confirms in flight, as a producer with a window has them.
const WINDOW: usize = 4096;

/// What the process may have, however much waits.
const LIMIT_KB: u64 = 200_000;

/// A broker with one queue, and what is published to it.
pub(crate) struct Load {
    pub(crate) broker: Broker,
    pub(crate) queue: Arc<Subscription>,
    body: Bytes,
}

impl Load {
    /// Declares the queue.
    pub(crate) async fn open(store: Arc<NativeStore>, octets: usize) -> Result<Self> {
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
    pub(crate) async fn publish(&self, count: usize) -> Result<f64> {
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

    /// A consumer that has at most `window` messages unsettled at once.
    pub(crate) fn attach(&self, window: u64) -> Result<Attachment> {
        let attach = Attach {
            owner: self.broker.new_owner(),
            credit: Credit::window(window),
            exclusive: false,
            lease: None,
        };
        self.broker.attach(&self.queue, attach)
    }
}

/// Fails where the process had more memory than it may have.
pub(crate) fn assert_small() {
    assert!(peak_kb() < LIMIT_KB, "more than {LIMIT_KB} KB of memory");
}

/// The most memory that this process had, mapped files included.
pub(crate) fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
