//! The formats that this build can read: one line an adapter.

use standpipe_core::codec::Codecs;

/// The codecs of all adapters in this build; core's own is among them.
#[must_use]
pub fn codecs() -> Codecs {
    Codecs::default()
}
