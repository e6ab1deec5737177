//! A driver under test, and fresh places to try it on.

use std::sync::Arc;

use async_trait::async_trait;
use standpipe_core::{address::Address, driver::Driver};

/// Both ends of one new, empty place.
#[derive(Debug, Clone)]
pub struct Ends {
    /// Where to write.
    pub to: Address,
    /// Where to read what was written, remembering what is settled.
    pub from: Address,
}

/// A driver under test.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The driver.
    fn driver(&self) -> Arc<dyn Driver>;

    /// A place that nobody has used.
    async fn fresh(&self) -> Ends;
}
