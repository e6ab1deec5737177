//! One pipe from the command line: what `pub`, `sub` and `cp` have in common.

use std::{num::NonZeroU64, time::Duration};

use async_trait::async_trait;
use standpipe::ends::{DestinationAt, SourceAt};
use standpipe_core::{
    Result,
    address::Address,
    driver::{Consumer, OpenOptions, Producer, Registry, Settler},
    pipe::{Destination, FirstOpen, OnRefused, Pipe, Source, State, Summary},
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
        let mut builder = Pipe::builder()
            .name("cp")
            .first_open(FirstOpen::Insist)
            .settling(source.settling())
            .until(until)
            .from_source(Counted {
                source,
                count: self.count,
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
        Ok(builder.build()?)
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

/// A source that ends after so many messages.
struct Counted {
    source: SourceAt,
    count: Option<NonZeroU64>,
}

#[async_trait]
impl Source for Counted {
    async fn open(&self) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let (consumer, settler) = self.source.open().await?;
        Ok(match self.count {
            Some(count) => (Box::new(Take::new(consumer, count)), settler),
            None => (consumer, settler),
        })
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
