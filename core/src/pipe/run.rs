//! A pipe from its first connect to its end.

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    counts::{Counts, Summary},
    ends::{Opened, Source},
    flow::Rules,
    session::{End, Session},
    settings::FirstOpen,
    state::State,
};
use crate::{
    driver::{Transform, Until},
    error::{Error, ErrorKind, Result},
    layer::ProducerService,
};

/// All that a pipe is made of.
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) source: Box<dyn Source>,
    pub(super) until: Until,
    pub(super) transforms: Vec<Arc<dyn Transform>>,
    /// The destination as it is, and behind its layers.
    pub(super) destination: ProducerService,
    pub(super) producer: ProducerService,
    pub(super) dead_letters: Option<ProducerService>,
    pub(super) first_open: FirstOpen,
    pub(super) rules: Rules,
    pub(super) counts: Arc<Counts>,
    pub(super) state: watch::Sender<State>,
}

impl Parts {
    pub(super) async fn run(&self, shutdown: &CancellationToken) -> Result<Summary> {
        let result = self.sessions(shutdown).await;
        let close = async {
            for transform in &self.transforms {
                if let Err(error) = transform.close().await {
                    tracing::debug!(%error, "a transform did not end well");
                }
            }
            for producer in [Some(&self.producer), self.dead_letters.as_ref()]
                .into_iter()
                .flatten()
            {
                if let Err(error) = producer.close().await {
                    tracing::debug!(%error, "a destination was left in disorder");
                }
            }
        };
        drop(tokio::time::timeout(self.rules.limits.grace, close).await);
        let why = match &result {
            Ok(()) => "done".to_owned(),
            Err(error) => error.to_string(),
        };
        self.state.send_replace(State::Stopped { why });
        result.map(|()| self.counts.read())
    }

    async fn sessions(&self, shutdown: &CancellationToken) -> Result<()> {
        let opened = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            results = self.destination.send(Vec::new()) => results.into_iter().next(),
        };
        if let Some(Err(error)) = opened {
            if self.first_open == FirstOpen::Insist || !error.kind().is_retryable() {
                return Err(error);
            }
            self.retrying(&error);
        }
        let (mut retry, mut first) = (0, true);
        loop {
            let before = self.counts.received.get();
            let lost = match self.open(shutdown).await {
                Ok(None) => return Ok(()),
                Ok(Some(opened)) => {
                    first = false;
                    match Session::new(self, opened).run(shutdown).await {
                        End::Done => return Ok(()),
                        End::Failed(error) => return Err(error),
                        End::SourceLost(error) => error,
                    }
                }
                Err(error) if first && self.first_open == FirstOpen::Insist => return Err(error),
                Err(error) if !error.kind().is_retryable() => return Err(error),
                Err(error) => error,
            };
            retry = if self.counts.received.get() > before {
                1
            } else {
                retry + 1
            };
            self.retrying(&lost);
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.rules.backoff.delay(retry)) => {}
            }
        }
    }

    /// Opens the source; nothing where the shutdown comes first.
    async fn open(&self, shutdown: &CancellationToken) -> Result<Option<Opened>> {
        tokio::select! {
            () = shutdown.cancelled() => Ok(None),
            opened = self.source.open() => opened.map(Some),
        }
    }

    /// Tells what goes on, from why lanes are on hold and whether anything is under way.
    pub(super) fn tell(&self, trouble: Option<&Error>, busy: bool) {
        let state = match trouble {
            Some(error) if error.kind() == ErrorKind::Throttled => return self.blocked(error),
            Some(error) => return self.retrying(error),
            None if busy => State::Flowing,
            None => State::Idle,
        };
        self.replace(state);
    }

    fn blocked(&self, error: &Error) {
        let was = matches!(&*self.state.borrow(), State::Blocked { .. });
        let why = error.to_string();
        self.replace(State::Blocked { why });
        if !was {
            tracing::warn!(route = self.name, %error, "the destination takes nothing; waiting until it does");
        }
    }

    fn retrying(&self, error: &Error) {
        let since = match &*self.state.borrow() {
            State::Retrying { since, .. } => *since,
            _ => SystemTime::now(),
        };
        let why = error.to_string();
        let news = self.replace(State::Retrying { why, since });
        if news {
            tracing::warn!(route = self.name, %error, "trying again");
        }
    }

    fn replace(&self, state: State) -> bool {
        self.state.send_if_modified(|now| {
            let changes = *now != state;
            *now = state;
            changes
        })
    }
}
