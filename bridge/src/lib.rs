//! Standpipe: one stored message, every protocol, both ways.

pub mod config;
pub mod server;
