//! The protocols that this build can serve: one line an adapter.

use std::sync::Arc;

use standpipe_core::{Error, ErrorKind, Result, frontend::Frontend};

use super::{Protocol, ServerBuilder};

/// The frontend of a protocol.
///
/// # Errors
/// `Unsupported` where this build lacks it, naming the feature.
pub(super) fn frontend(protocol: Protocol, _settings: &ServerBuilder) -> Result<Arc<dyn Frontend>> {
    let message = format!("{protocol} is not in this build; build with the feature `{protocol}`");
    Err(Error::new(ErrorKind::Unsupported, "serve", message))
}
