//! The formats that this build can read: one line an adapter.

use standpipe_core::codec::Codecs;

/// The codecs of all adapters in this build; core's own is among them.
#[must_use]
pub fn codecs() -> Codecs {
    #[allow(unused_mut, reason = "a build without adapters adds nothing")]
    let mut codecs = Codecs::default();
    #[cfg(feature = "amqp")]
    standpipe_amqp::codec::register(&mut codecs);
    #[cfg(feature = "kafka")]
    standpipe_kafka::codec::register(&mut codecs);
    codecs
}
