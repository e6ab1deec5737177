//! Standpipe: one stored message, every protocol, both ways.

mod codecs;
mod drivers;

pub mod config;
pub mod ends;
pub mod route;
pub mod server;

pub use codecs::codecs;
pub use drivers::{registry, registry_over};
