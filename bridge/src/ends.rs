//! A pipe's ends from parsed addresses, whose secrets are never written out to be parsed again.

use std::sync::Arc;

use async_trait::async_trait;
use standpipe_core::{
    Result,
    address::Address,
    driver::{Consumer, Driver, OpenOptions, Producer, Registry, Settler, Settling},
    pipe::{Destination, Source, settling_of},
};

/// Opens the source that an address names.
pub struct SourceAt {
    driver: Arc<dyn Driver>,
    address: Address,
    options: OpenOptions,
}

impl SourceAt {
    /// The source at `address`, opened as `options` say.
    ///
    /// # Errors
    /// `Invalid` for an unknown scheme or option.
    pub fn new(registry: &Registry, address: &Address, options: OpenOptions) -> Result<Self> {
        Ok(Self {
            driver: registry.driver(address)?,
            address: address.clone(),
            options,
        })
    }

    /// How it settles, in the group that it is given where its address names none.
    #[must_use]
    pub fn settling(&self) -> Settling {
        settling_of(self.driver.capabilities(&self.address), &self.options)
    }
}

#[async_trait]
impl Source for SourceAt {
    async fn open(&self) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        self.driver.consumer(&self.address, &self.options).await
    }
}

/// Opens the destination that an address names.
pub struct DestinationAt {
    driver: Arc<dyn Driver>,
    address: Address,
}

impl DestinationAt {
    /// The destination at `address`.
    ///
    /// # Errors
    /// `Invalid` for an unknown scheme or option.
    pub fn new(registry: &Registry, address: &Address) -> Result<Self> {
        Ok(Self {
            driver: registry.driver(address)?,
            address: address.clone(),
        })
    }
}

#[async_trait]
impl Destination for DestinationAt {
    async fn open(&self) -> Result<Box<dyn Producer>> {
        self.driver.producer(&self.address).await
    }
}

#[cfg(all(test, feature = "native"))]
mod tests {
    use super::*;

    #[test]
    fn a_positional_source_settles_cumulatively_in_the_group_that_it_is_given() {
        let registry = crate::registry();
        let address = registry.address("standpipe://h:1/t?mode=positional");
        let address = address.unwrap();
        let settling = |options| {
            let source = SourceAt::new(&registry, &address, options);
            source.unwrap().settling()
        };
        let given = OpenOptions::default().with_default_group("standpipe-r");
        assert_eq!(settling(given), Settling::Cumulative);
        assert_eq!(settling(OpenOptions::default()), Settling::None);
    }
}
