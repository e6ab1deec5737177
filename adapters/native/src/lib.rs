//! Standpipe's own store and its own wire protocol.

pub mod codec;
