//! Files, stdin and stdout as sources and destinations: `file://PATH?format=envelope|lines|csv` and `-`.
//!
//! A file that ends within a line is given its line break before anything is appended; an envelope
//! that is not whole is cut off instead. A batch is appended as one piece, under a lock.

mod consumer;
mod csv;
mod driver;
mod format;
mod lines;
mod lock;
mod place;
mod producer;
mod sink;
mod tail;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use standpipe_core::driver::Registry;

pub use driver::FileDriver;

/// Adds the scheme `file`, which `-` belongs to.
pub fn register(registry: &mut Registry) {
    registry.register(Arc::new(FileDriver));
}
