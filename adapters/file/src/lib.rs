//! Files, stdin and stdout as sources and destinations: `file://PATH?format=envelope|lines|csv` and `-`.

mod consumer;
mod csv;
mod driver;
mod format;
mod lines;
mod place;
mod producer;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use standpipe_core::driver::Registry;

pub use driver::FileDriver;

/// Adds the scheme `file`, which `-` belongs to.
pub fn register(registry: &mut Registry) {
    registry.register(Arc::new(FileDriver));
}
