//! The messaging abstraction and the broker engine of Standpipe. No network, no files, no C code.
//!
//! Read in this order: [`message`] (what travels), [`entry`] (how it is stored), [`store`] (where),
//! [`cursor`] and [`dispatcher`] (who has seen what), [`router`] (where a publish goes),
//! [`broker`] (all of it together), [`driver`] and [`pipe`] (the seams that adapters fill).

pub mod address;
pub mod broker;
pub mod checksum;
pub mod codec;
pub mod compaction;
pub mod cursor;
pub mod dispatcher;
pub mod disuse;
pub mod driver;
pub mod entry;
pub mod envelope;
pub mod error;
pub mod frontend;
pub mod group;
pub mod id;
pub mod keep_alive;
pub mod layer;
pub mod message;
pub mod native;
pub mod partitioner;
pub mod pipe;
pub mod producer;
pub mod quantity;
pub mod ranges;
pub mod router;
pub mod session;
pub mod store;
pub mod wheel;
pub mod wire;

pub use error::{Error, ErrorKind, Result};
