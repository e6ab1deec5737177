//! Standpipe: one stored message, every protocol, both ways.
pub mod config;
pub mod exit;
pub mod log;
pub mod open_files;
pub mod quantity;
pub mod signal;
