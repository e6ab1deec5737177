//! Schemes and the drivers behind them.

use std::{collections::BTreeMap, sync::Arc};

use super::{Consumer, Driver, OpenOptions, Producer, Settler};
use crate::{
    address::{Address, FileReader},
    error::{Error, ErrorKind, Result},
};

/// The drivers that this process knows, by scheme.
#[derive(Clone, Default)]
pub struct Registry {
    drivers: BTreeMap<&'static str, Arc<dyn Driver>>,
    files: FileReader,
}

impl Registry {
    /// A registry that knows no scheme.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how files of secrets (`${file:PATH}`) are read; without it they are refused.
    pub fn read_files_with(&mut self, files: FileReader) {
        self.files = files;
    }

    /// Adds a driver; a later one for the same scheme replaces the earlier.
    pub fn register(&mut self, driver: Arc<dyn Driver>) {
        self.drivers.insert(driver.scheme(), driver);
    }

    /// The schemes, sorted.
    pub fn schemes(&self) -> impl Iterator<Item = &'static str> {
        self.drivers.keys().copied()
    }

    /// Parses an address, and checks its scheme and options against the drivers.
    ///
    /// # Errors
    /// `Invalid` for a malformed address, an unknown scheme (naming the known ones), or an
    /// unknown option (naming the driver's).
    pub fn address(&self, text: &str) -> Result<Address> {
        let address = text.parse::<Address>()?.with_file_reader(self.files);
        self.driver(&address)?;
        Ok(address)
    }

    /// The driver of an address, whose options it knows.
    ///
    /// # Errors
    /// `Invalid` for an unknown scheme or option, naming the known ones.
    pub fn driver(&self, address: &Address) -> Result<Arc<dyn Driver>> {
        let scheme = address.scheme();
        let Some(driver) = self.drivers.get(scheme) else {
            let known: Vec<_> = self.schemes().collect();
            let message = format!("unknown scheme `{scheme}`; known: {}", known.join(", "));
            return Err(Error::new(ErrorKind::Invalid, "open address", message));
        };
        address.check_options(driver.options())?;
        Ok(Arc::clone(driver))
    }

    /// Opens a producer for an address.
    ///
    /// # Errors
    /// As [`Registry::address`] and [`Driver::producer`].
    pub async fn producer(&self, address: &str) -> Result<Box<dyn Producer>> {
        let address = self.address(address)?;
        self.driver(&address)?.producer(&address).await
    }

    /// Opens a consumer and its settler for an address.
    ///
    /// # Errors
    /// As [`Registry::address`] and [`Driver::consumer`].
    pub async fn consumer(
        &self,
        address: &str,
        options: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let address = self.address(address)?;
        self.driver(&address)?.consumer(&address, options).await
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.drivers.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::driver::{Admin, Capabilities};

    struct Nothing(&'static str);

    #[async_trait]
    impl Driver for Nothing {
        fn scheme(&self) -> &'static str {
            self.0
        }
        fn options(&self) -> &'static [&'static str] {
            &["from", "group"]
        }
        fn capabilities(&self, _: &Address) -> Capabilities {
            Capabilities::NONE
        }
        async fn producer(&self, _: &Address) -> Result<Box<dyn Producer>> {
            Err(Error::new(ErrorKind::Unsupported, "open", "nothing here"))
        }
        async fn consumer(
            &self,
            _: &Address,
            _: &OpenOptions,
        ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
            Err(Error::new(ErrorKind::Unsupported, "open", "nothing here"))
        }
        async fn admin(&self, _: &Address) -> Result<Box<dyn Admin>> {
            Err(Error::new(ErrorKind::Unsupported, "open", "nothing here"))
        }
        async fn probe(&self, _: &Address) -> Result<()> {
            Ok(())
        }
    }

    fn registry() -> Registry {
        let mut registry = Registry::new();
        for scheme in ["kafka", "amqp"] {
            registry.register(Arc::new(Nothing(scheme)));
        }
        registry
    }

    #[test]
    fn an_unknown_scheme_names_the_known_ones() {
        let error = registry().address("kafak://h/t").unwrap_err();
        assert_eq!(
            error.message(),
            "unknown scheme `kafak`; known: amqp, kafka"
        );
    }

    #[test]
    fn an_unknown_option_names_the_known_ones() {
        let error = registry().address("kafka://h/t?grup=g").unwrap_err();
        assert_eq!(
            error.message(),
            "unknown option `grup` in kafka://h/t?grup=g; known: from, group"
        );
    }
}
