//! The named states of a route, seen in logs and metrics.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Instant};

use parking_lot::RwLock;

/// What a route is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteState {
    /// Both ends are open; messages are carried as they come.
    Flowing,
    /// An end is not there; it is opened again and again.
    Retrying {
        /// What happened.
        why: String,
        /// Since when.
        since: Instant,
    },
    /// It ended and stays so until the configuration or the other end changes.
    Stopped {
        /// Why.
        why: String,
    },
}

impl RouteState {
    /// The state in one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Flowing => "flowing",
            Self::Retrying { .. } => "retrying",
            Self::Stopped { .. } => "stopped",
        }
    }
}

impl fmt::Display for RouteState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flowing => f.write_str("flowing"),
            Self::Retrying { why, .. } => write!(f, "retrying ({why})"),
            Self::Stopped { why } => write!(f, "stopped ({why})"),
        }
    }
}

/// The states of all routes; clones share them.
#[derive(Debug, Clone, Default)]
pub struct RouteStates(Arc<RwLock<BTreeMap<String, RouteState>>>);

impl RouteStates {
    /// Name and state of each route, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(String, RouteState)> {
        let states = self.0.read();
        states.iter().map(|(n, s)| (n.clone(), s.clone())).collect()
    }

    /// Notes and logs a route's state, where it is a new one.
    pub(super) fn set(&self, name: &str, state: RouteState) {
        let mut states = self.0.write();
        if states.get(name).map(RouteState::word) != Some(state.word()) {
            match &state {
                RouteState::Flowing => tracing::info!(route = name, "{state}"),
                _ => tracing::warn!(route = name, "{state}"),
            }
        }
        states.insert(name.to_owned(), state);
    }
}
