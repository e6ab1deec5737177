//! What a client does over one stream, whatever wire it comes on: publish with pipelined results,
//! and consume with credit, settlements, seeks and commits.
//!
//! gRPC and the native protocol carry the same requests and events in different frames. Their
//! frontends parse and write; [`publish`] and [`subscribe`] do the work over a
//! [`Broker`](crate::broker::Broker), each between two bounded channels, so that a client that
//! does not read stops being read from and holds bounded memory. [`serve_admin`] answers the rest.
//! [`client`] is the other end.

mod admin;
mod batch;
pub mod client;
mod destination;
mod event;
mod group_start;
mod positional;
mod publication;
mod publish;
mod receipt;
mod request;
mod serve_admin;
mod source;
mod subscribe;

pub use admin::{AdminReply, AdminRequest};
pub use destination::Destination;
pub use event::{Bounds, Delivered, Event};
pub use group_start::unheld_start;
pub use publication::{Outcome, Publication, PublishRequest, Published};
pub use publish::publish;
pub use receipt::{RECEIPT_LEN, receipt_from_octets, receipt_to_octets};
pub use request::{CreditGrant, Open, OpenMode, Request};
pub use serve_admin::serve_admin;
pub use subscribe::subscribe;

/// Answers that wait between a session and a wire.
pub const CHANNEL_DEPTH: usize = 16;

/// Events that wait between a session and a wire; each holds up to 256 KiB of messages.
pub const EVENT_DEPTH: usize = 1;

/// Requests that wait between a wire and a session; each may be as large as the largest message.
pub const REQUEST_DEPTH: usize = 4;
