//! One pipe from the command line: what `pub`, `sub` and `cp` have in common.

use std::{
    num::NonZeroU64,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use standpipe::ends::{DestinationAt, SourceAt};
use standpipe_core::{
    Result,
    address::Address,
    driver::{Consumer, Incoming, OpenOptions, Producer, ReceiveLimit, Registry, Settler},
    pipe::{Counts, Destination, FirstOpen, OnRefused, Pipe, Source, State, Summary},
};
use standpipe_plugins::{Settings, Step};
use tokio::sync::watch;

use super::{progress::Shown, schedule::Schedule, take::Take};
use crate::{
    exit::{Exit, Failure},
    signal,
};

/// How long an end that was lost is tried again before the command gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to carry.
pub(crate) struct Carry {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) drain: bool,
    pub(crate) count: Option<NonZeroU64>,
    pub(crate) steps: Vec<Step>,
    pub(crate) schedule: Schedule,
}

impl Carry {
    /// From one address to another, to the source's own end.
    ///
    /// # Errors
    /// A failure of the command line for addresses that make no sense.
    pub(crate) fn new(registry: &Registry, from: &str, to: &str) -> Result<Self, Failure> {
        let address = |text| {
            registry
                .address(text)
                .map_err(|e| Failure::usage(e.message()))
        };
        Ok(Self {
            from: address(from)?,
            to: address(to)?,
            drain: false,
            count: None,
            steps: Vec::new(),
            schedule: Schedule::default(),
        })
    }

    /// Carries until the end, a signal, or a failure.
    pub(crate) async fn run(self, registry: &Registry) -> Result<(), Failure> {
        let stop = signal::on_stop()?;
        let pipe = self.pipe(registry)?;
        let mut state = pipe.state();
        let running = tokio::spawn(pipe.run(stop.clone()));
        let summary = tokio::select! {
            ended = running => ended.map_err(|panic| Failure::new(Exit::Unavailable, panic.to_string()))?,
            why = lost(&mut state), if self.gives_up() => {
                stop.cancel();
                return Err(Failure::new(Exit::Unavailable, why));
            }
        };
        judge(&summary?)
    }

    fn pipe(&self, registry: &Registry) -> Result<Pipe, Failure> {
        let mut options = OpenOptions::default();
        if self.drain {
            options = OpenOptions::drain();
        }
        let until = options.until;
        let source = SourceAt::new(registry, &self.from, options)?;
        let counts = Arc::new(OnceLock::new());
        let mut builder = Pipe::builder()
            .name("cp")
            .first_open(FirstOpen::Insist)
            .settling(source.settling())
            .until(until)
            .from_source(Counted {
                source,
                count: self.count,
                counts: Arc::clone(&counts),
            })
            .to_destination(Visible(DestinationAt::new(registry, &self.to)?))
            .on_refused(if self.holds() {
                OnRefused::Hold
            } else {
                OnRefused::Stop
            });
        for step in &self.steps {
            let transform = step.build(Settings::default()).map_err(Failure::usage)?;
            builder = builder.transform_shared(transform);
        }
        if !self.schedule.is_empty() {
            builder = builder.transform(self.schedule);
        }
        let pipe = builder.build()?;
        counts.get_or_init(|| pipe.counts());
        Ok(pipe)
    }

    /// A broker keeps what cannot be sent; a pipe or a file on either side cannot.
    fn holds(&self) -> bool {
        self.from.scheme() != "file" && self.to.scheme() != "file"
    }

    /// A copy without an end is a route: it waits for its ends as long as it takes.
    fn gives_up(&self) -> bool {
        self.drain || !self.holds()
    }
}

/// What of a finished copy is worth a failure.
fn judge(summary: &Summary) -> Result<(), Failure> {
    if summary.held == 0 {
        return Ok(());
    }
    let message = format!(
        "{} messages are confirmed; {} cannot be sent and stay at the source",
        summary.moved, summary.held
    );
    Err(Failure::new(Exit::Data, message))
}

/// Returns once an end is lost for longer than our patience.
async fn lost(state: &mut watch::Receiver<State>) -> String {
    loop {
        let why = match &*state.borrow_and_update() {
            State::Retrying { why, .. } => Some(why.clone()),
            _ => None,
        };
        let Some(why) = why else {
            if state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            continue;
        };
        let recovered = state.wait_for(|state| !matches!(state, State::Retrying { .. }));
        if tokio::time::timeout(PATIENCE, recovered).await.is_err() {
            return format!("{why}; gave up after {} s", PATIENCE.as_secs());
        }
    }
}

/// A source that ends after so many messages, however often it is opened again.
struct Counted {
    source: SourceAt,
    count: Option<NonZeroU64>,
    /// What the pipe has done, once it is built.
    counts: Arc<OnceLock<Arc<Counts>>>,
}

#[async_trait]
impl Source for Counted {
    async fn open(&self) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let (consumer, settler) = self.source.open().await?;
        let Some(count) = self.count else {
            return Ok((consumer, settler));
        };
        // What a lost connection had received and not settled comes again.
        let counts = self.counts.get().map(|counts| counts.read());
        let done = counts.map_or(0, |counts| counts.sent.saturating_sub(counts.duplicates));
        let left = NonZeroU64::new(count.get().saturating_sub(done));
        Ok(match left {
            Some(left) => (Box::new(Take::new(consumer, left)), settler),
            None => (Box::new(Spent(consumer)), settler),
        })
    }
}

/// A consumer of which nothing more is wanted.
struct Spent(Box<dyn Consumer>);

#[async_trait]
impl Consumer for Spent {
    async fn receive(&mut self, _: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
        Ok(None)
    }

    async fn close(&mut self) -> Result<()> {
        self.0.close().await
    }
}

/// A destination with a progress bar.
struct Visible(DestinationAt);

#[async_trait]
impl Destination for Visible {
    async fn open(&self) -> Result<Box<dyn Producer>> {
        Ok(Shown::wrap(self.0.open().await?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use standpipe_core::{
        Error, ErrorKind,
        driver::{Admin, Capabilities, Driver, ReceiptToken, Settlement},
        message::Message,
    };
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// A system whose first connection for reading is lost after three messages.
    #[derive(Default)]
    struct Flaky {
        opened: AtomicU64,
        arrived: Arc<AtomicU64>,
    }

    #[async_trait]
    impl Driver for Flaky {
        fn scheme(&self) -> &'static str {
            "flaky"
        }
        fn options(&self) -> &'static [&'static str] {
            &[]
        }
        fn capabilities(&self, _: &Address) -> Capabilities {
            Capabilities::NONE
        }
        async fn producer(&self, _: &Address) -> Result<Box<dyn Producer>> {
            Ok(Box::new(Counter(Arc::clone(&self.arrived))))
        }
        async fn consumer(
            &self,
            _: &Address,
            _: &OpenOptions,
        ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
            let first = self.opened.fetch_add(1, Ordering::SeqCst) == 0;
            let left = if first { 3 } else { usize::MAX };
            Ok((Box::new(Connection { left }), Box::new(Forgetful)))
        }
        async fn admin(&self, _: &Address) -> Result<Box<dyn Admin>> {
            Err(Error::new(ErrorKind::Unsupported, "open", "nothing here"))
        }
        async fn probe(&self, _: &Address) -> Result<()> {
            Ok(())
        }
    }

    struct Connection {
        left: usize,
    }

    #[async_trait]
    impl Consumer for Connection {
        async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
            if self.left == 0 {
                return Err(Error::new(ErrorKind::Disconnected, "receive", "cut"));
            }
            let count = limit.messages.get().min(self.left);
            self.left -= count;
            let incoming = Incoming {
                message: Message::new("x"),
                receipt: ReceiptToken::default(),
                attempts: 0,
            };
            Ok(Some(vec![incoming; count]))
        }
        async fn close(&mut self) -> Result<()> {
            Ok(())
        }
    }

    struct Forgetful;

    #[async_trait]
    impl Settler for Forgetful {
        async fn settle(&self, _: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
            Ok(())
        }
    }

    struct Counter(Arc<AtomicU64>);

    #[async_trait]
    impl Producer for Counter {
        async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
            self.0.fetch_add(batch.len() as u64, Ordering::SeqCst);
            vec![Ok(()); batch.len()]
        }
        async fn close(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_goes_on_where_a_lost_connection_left_it() {
        let driver = Flaky::default();
        let arrived = Arc::clone(&driver.arrived);
        let mut registry = Registry::new();
        registry.register(Arc::new(driver));
        let mut carry = Carry::new(&registry, "flaky://h/t", "flaky://h/t").unwrap();
        carry.count = NonZeroU64::new(5);
        let pipe = carry.pipe(&registry).unwrap();
        pipe.run(CancellationToken::new()).await.unwrap();
        assert_eq!(arrived.load(Ordering::SeqCst), 5);
    }
}
