//! Where a group is in its cycle.

use std::fmt;

/// The state of a group, by the names that Kafka's tools print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// No members.
    Empty,
    /// Members are asked to join again; joins wait.
    PreparingRebalance,
    /// All have joined; the leader's assignment is awaited; syncs wait.
    CompletingRebalance,
    /// Every member can have its assignment.
    Stable,
    /// Not there: never was, deleted or expired.
    Dead,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        })
    }
}
