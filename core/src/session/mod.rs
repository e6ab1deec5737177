//! What a client does over one stream, whatever wire it comes on: publish with pipelined results,
//! and consume with credit, settlements, seeks and commits.
//!
//! gRPC and the native protocol carry the same requests and events in different frames. Their
//! frontends only parse and write.

mod admin;
mod destination;
mod event;
mod publication;
mod receipt;
mod request;

pub use admin::{AdminReply, AdminRequest};
pub use destination::Destination;
pub use event::{Bounds, Delivered, Event};
pub use publication::{Outcome, Publication, PublishRequest, Published};
pub use receipt::{RECEIPT_LEN, receipt_from_octets, receipt_to_octets};
pub use request::{CreditGrant, Open, OpenMode, Request};
