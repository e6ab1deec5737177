//! Kafka's classic consumer groups: who is a member, who leads, who was assigned what.
//!
//! A pure state machine: no clock, no I/O, no randomness but a seed. The shell passes the time in,
//! keeps a request open under a [`Caller`] of its choosing, and answers it when an [`Effect`] says
//! so. It calls [`Coordinator::tick`] no later than [`Coordinator::next_deadline`] says.
//!
//! Every [`Caller`] handed to `join` or `sync` is answered by exactly one effect, at once or later.
//! Offsets are kept elsewhere; here is only asked whether a commit is allowed.
//!
//! After Apache Kafka's group membership protocol: KIP-62 (rebalance timeout), KIP-134 (initial
//! delay), KIP-345 (static members), KIP-394 (a member id before the first join), KIP-814 (a static
//! leader that comes back assigns nothing).

mod coordinator;
mod describe;
mod effect;
mod join;
mod leave;
mod liveness;
mod member;
mod member_ids;
mod options;
mod protocol;
mod rebalance;
mod refusal;
mod request;
mod roster;
mod state;
mod supported;
mod sync;
mod turn;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use coordinator::Coordinator;
pub use describe::{Description, Listing, MemberDescription};
pub use effect::{Effect, Joined, JoinedMember, Synced};
pub use options::Options;
pub use refusal::Refusal;
pub use request::{Caller, Join, Leaver, Membership, Protocol, Sync};
pub use state::State;

/// A group's name.
pub type GroupId = Arc<str>;

/// A member's id, handed out by the coordinator.
pub type MemberId = Arc<str>;

/// A static member's name, chosen by its operator (`group.instance.id`).
pub type InstanceId = Arc<str>;
