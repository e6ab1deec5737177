//! The broker with its frontends and routes, as a part of any program.

mod bind;
mod protocol;

pub use protocol::Protocol;
