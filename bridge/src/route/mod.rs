//! Routes: pipes that run as long as the server does.

mod guarantee;

pub use guarantee::{Asked, Promise, Verdict, judge, verdict};

use std::time::Duration;

use standpipe_core::{
    Result,
    driver::{OpenOptions, Registry},
    pipe::{Order as PipeOrder, Pipe, State},
};
use standpipe_plugins::Settings;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Order, RouteConfig},
    ends::{DestinationAt, SourceAt},
};

/// All routes of a server.
#[derive(Debug, Default)]
pub struct Routes {
    waiting: Vec<(String, Pipe)>,
    running: JoinSet<()>,
    states: RouteStates,
    stop: CancellationToken,
}

/// The states of routes, to look at from anywhere.
#[derive(Debug, Clone, Default)]
pub struct RouteStates(Vec<(String, watch::Receiver<State>)>);

impl RouteStates {
    /// Name and state of each route, in the configuration's order.
    #[must_use]
    pub fn all(&self) -> Vec<(String, State)> {
        let states = self.0.iter();
        states
            .map(|(name, state)| (name.clone(), state.borrow().clone()))
            .collect()
    }
}

impl Routes {
    /// Builds the pipes; opens nothing.
    pub(crate) fn prepare(routes: &[RouteConfig], registry: &Registry) -> Result<Self> {
        let mut prepared = Self::default();
        for route in routes {
            let pipe = pipe(route, registry)?;
            prepared.states.0.push((route.name.clone(), pipe.state()));
            prepared.waiting.push((route.name.clone(), pipe));
        }
        Ok(prepared)
    }

    /// The names, in the configuration's order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.states.0.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Their states, live.
    #[must_use]
    pub fn states(&self) -> RouteStates {
        self.states.clone()
    }

    pub(crate) fn start(&mut self) {
        for (name, pipe) in self.waiting.drain(..) {
            self.running.spawn(log_states(name.clone(), pipe.state()));
            self.running.spawn(run(name, pipe, self.stop.clone()));
        }
    }

    /// Lets each finish what is under way, for as long as `deadline` at most.
    pub(crate) async fn stop(&mut self, deadline: Duration) {
        self.stop.cancel();
        let ended = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, ended).await.is_err() {
            tracing::warn!("routes did not end in time; what is unsettled comes again");
            self.running.abort_all();
        }
    }
}

fn pipe(route: &RouteConfig, registry: &Registry) -> Result<Pipe> {
    let source = SourceAt::new(registry, &route.from, open_options(route))?;
    let mut builder = Pipe::builder()
        .name(&route.name)
        .settling(source.settling())
        .from_source(source)
        .to_destination(DestinationAt::new(registry, &route.to)?)
        .order(match route.order {
            Order::Total => PipeOrder::Total,
            Order::Lane => PipeOrder::Lane,
            Order::Key => PipeOrder::Key,
            Order::None => PipeOrder::None,
        });
    for step in &route.transform {
        builder = builder.transform_shared(step.build(Settings::default())?);
    }
    builder.build()
}

/// How a route's source is opened: one with positions keeps them in a group of the route's own,
/// where its address names none.
fn open_options(route: &RouteConfig) -> OpenOptions {
    OpenOptions::default().with_default_group(format!("standpipe-{}", route.name))
}

async fn run(name: String, pipe: Pipe, stop: CancellationToken) {
    match pipe.run(stop).await {
        Ok(summary) => tracing::info!(
            route = name,
            moved = summary.moved,
            held = summary.held,
            "ended"
        ),
        Err(error) => tracing::error!(route = name, %error, "stopped"),
    }
}

/// Logs each new state. Idle and flowing follow each other all the time: only trouble and its end
/// are news.
async fn log_states(name: String, mut states: watch::Receiver<State>) {
    let mut in_trouble = false;
    while states.changed().await.is_ok() {
        let state = states.borrow_and_update().clone();
        if matches!(state, State::Stopped { .. }) {
            return;
        }
        let trouble = !matches!(state, State::Idle | State::Flowing);
        if trouble {
            tracing::warn!(route = name, "{state}");
        } else if in_trouble {
            tracing::info!(route = name, "{state} again");
        }
        in_trouble = trouble;
    }
}
