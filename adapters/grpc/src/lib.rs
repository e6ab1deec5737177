//! gRPC for Standpipe.

pub mod codec;
pub mod proto;
