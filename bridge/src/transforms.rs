//! From a configuration's steps to transforms.

use std::sync::Arc;

use standpipe_core::{Error, ErrorKind, Result, driver::Transform};

use crate::config::StepConfig;

/// The transform that a step describes; what can be checked without running it is checked.
///
/// # Errors
/// `Invalid` for an expression that does not parse.
pub fn transform(step: &StepConfig) -> Result<Arc<dyn Transform>> {
    let message = format!("{step:?} is not in this build");
    Err(Error::new(
        ErrorKind::Unsupported,
        "build transform",
        message,
    ))
}
