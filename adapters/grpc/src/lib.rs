//! gRPC for Standpipe: the service that [`proto`] defines, and a driver of `grpc://` for brokers
//! that serve it.

pub mod client;
pub mod codec;
pub mod frontend;
mod intake;
pub mod proto;

pub use client::GrpcDriver;
pub use frontend::GrpcFrontend;

use standpipe_core::driver::Registry;

/// Adds the driver of `grpc://`.
pub fn register(registry: &mut Registry) {
    registry.register(std::sync::Arc::new(GrpcDriver::new()));
}
