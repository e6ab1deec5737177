//! Standpipe: one stored message, every protocol, both ways.

mod drivers;

pub mod config;
pub mod route;

pub use drivers::registry;
