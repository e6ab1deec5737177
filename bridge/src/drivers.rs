//! The schemes that this build knows: one line an adapter.

use standpipe_core::driver::Registry;

/// The drivers of all adapters in this build, by the scheme of their addresses.
#[must_use]
pub fn registry() -> Registry {
    #[allow(unused_mut, reason = "a build without adapters adds nothing")]
    let mut registry = Registry::new();
    #[cfg(feature = "file")]
    standpipe_file::register(&mut registry);
    registry
}
