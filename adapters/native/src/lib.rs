//! Standpipe's own store and its own wire protocol.

pub mod client;
pub mod codec;
pub mod frontend;
pub mod store;

pub use client::NativeDriver;
pub use frontend::NativeFrontend;

use standpipe_core::driver::Registry;

/// Adds the driver of `standpipe://` for brokers elsewhere.
pub fn register(registry: &mut Registry) {
    registry.register(std::sync::Arc::new(NativeDriver::new()));
}
