//! The client side's seams: what an adapter implements so that a pipe can read and write through it.
//!
//! A [`Driver`] opens a [`Producer`], or a [`Consumer`] with its [`Settler`], for an
//! [`Address`], and declares its [`Capabilities`]. Adapters report errors;
//! they never retry, sleep or batch on their own: that lives once, in [`pipe`](crate::pipe).

mod admin;
mod capabilities;
mod consumer;
mod incoming;
mod open;
mod producer;
mod registry;
mod settlement;
mod start;
mod transform;

use async_trait::async_trait;

use crate::{address::Address, error::Result};

pub use admin::{Admin, NewTopic, PartitionInfo, SubscriptionInfo, TopicInfo};
pub use capabilities::{
    Capabilities, Confirming, Deduplication, Draining, Ordering, Redelivery, Seeking, Settling,
};
pub use consumer::{Consumer, ReceiveLimit, Settler};
pub use incoming::{Incoming, Lane, ReceiptToken};
pub use open::{OpenOptions, Until};
pub use producer::Producer;
pub use registry::Registry;
pub use settlement::Settlement;
pub use start::StartAt;
pub use transform::{Outcome, Transform};

/// Opens both ends of one system for an address. One per scheme, in the [`Registry`].
///
/// Every method that connects is cancel safe: dropping it leaves no connection open.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// The scheme of its addresses, in lower case.
    fn scheme(&self) -> &'static str;

    /// The options that its addresses may carry; any other is refused before anything is opened.
    fn options(&self) -> &'static [&'static str];

    /// What its ends can do at this address: routes are judged by it, and it is tested.
    fn capabilities(&self, address: &Address) -> Capabilities;

    /// Connects and makes ready to send.
    ///
    /// # Errors
    /// `Disconnected` where nobody answers, `Denied` where the login is refused, `NotFound` where
    /// the destination must exist and does not, `Invalid` for options that contradict each other,
    /// `Unsupported` where this system cannot be written to.
    async fn producer(&self, address: &Address) -> Result<Box<dyn Producer>>;

    /// Connects and makes ready to receive; receipts of the one are settled with the other.
    ///
    /// # Errors
    /// As [`Driver::producer`]; `Unsupported` where this system cannot be read from.
    async fn consumer(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)>;

    /// Connects for administration.
    ///
    /// # Errors
    /// As [`Driver::producer`]; `Unsupported` where there is nothing to administer.
    async fn admin(&self, address: &Address) -> Result<Box<dyn Admin>>;

    /// Connects, authenticates, looks whether the destination is there, and leaves.
    ///
    /// # Errors
    /// As [`Driver::producer`].
    async fn probe(&self, address: &Address) -> Result<()>;
}
