//! Declaring exchanges and binding them.

use super::{
    Arguments, Binding, Destination, ExchangeSpec, Limits, Router, binding::BindingId,
    exchange::Exchange,
};
use crate::error::{Error, ErrorKind, Result};

/// What a declaration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// Whether the exchange is new; otherwise an equivalent one was there.
    pub created: bool,
}

impl Router {
    /// Declares an exchange; declaring an equivalent one again changes nothing.
    ///
    /// # Errors
    /// `Exists` where one of that name differs, `Denied` for the default exchange and for new names
    /// that begin with `amq.`, `Invalid` and `TooLarge` for what passes a limit.
    pub fn declare(&mut self, spec: ExchangeSpec) -> Result<Declared> {
        const OPERATION: &str = "declare exchange";
        if spec.name.is_empty() {
            return Err(self.default_exchange(OPERATION));
        }
        if let Some(current) = self.exchange(&spec.name) {
            self.check_equivalent(current, &spec)?;
            return Ok(Declared { created: false });
        }
        if spec.name.starts_with("amq.") {
            return Err(reserved(&spec.name, OPERATION));
        }
        self.check_text(spec.name.as_bytes(), "exchange name", OPERATION)?;
        self.check_arguments(&spec.arguments, OPERATION)?;
        if self.exchanges.len() >= self.limits.exchanges {
            let limit = self.limits.exchanges;
            let text = format!(
                "vhost '{}' has its limit of {limit} exchanges",
                self.namespace
            );
            return Err(Error::new(ErrorKind::TooLarge, OPERATION, text));
        }
        self.exchanges
            .insert(spec.name.clone(), Exchange::new(spec));
        Ok(Declared { created: true })
    }

    /// Binds; returns whether the binding is new. That a topic exists is for the caller to check.
    ///
    /// # Errors
    /// `NotFound` for an exchange that is not there, `Denied` for the default exchange, `Invalid`
    /// for arguments that the exchange's kind does not accept, `TooLarge` for what passes a limit.
    pub fn bind(&mut self, binding: Binding) -> Result<bool> {
        const OPERATION: &str = "bind";
        self.check_ends(&binding, OPERATION)?;
        let id = binding.id();
        if self.bindings.contains(&id) {
            return Ok(false);
        }
        self.check_text(binding.key.as_bytes(), "routing key", OPERATION)?;
        self.check_text(
            binding.destination.name().as_bytes(),
            "destination",
            OPERATION,
        )?;
        self.check_arguments(&binding.arguments, OPERATION)?;
        self.check_room(&id, OPERATION)?;
        let source = self.exchanges.get_mut(&binding.source);
        let source = source.expect("check_ends found the source");
        source.matcher.add(&id, &binding, &self.limits)?;
        self.bindings.insert(id, binding);
        Ok(true)
    }

    /// Binds what a store has kept: limits that came later leave nothing out of it.
    ///
    /// # Errors
    /// As [`Router::bind`], but for `TooLarge`.
    pub fn rebind(&mut self, binding: Binding) -> Result<bool> {
        let limits = std::mem::replace(&mut self.limits, Limits::NONE);
        let bound = self.bind(binding);
        self.limits = limits;
        bound
    }

    /// # Errors
    /// `Denied` where an end is the default exchange, `NotFound` where one is not there.
    pub(super) fn check_ends(&self, binding: &Binding, operation: &'static str) -> Result<()> {
        let to = match &binding.destination {
            Destination::Exchange(name) => Some(name),
            Destination::Topic(_) => None,
        };
        for name in std::iter::once(&binding.source).chain(to) {
            if name.is_empty() {
                return Err(self.default_exchange(operation));
            }
            if !self.exchanges.contains_key(name) {
                return Err(self.no_exchange(name, operation));
            }
        }
        Ok(())
    }

    pub(super) fn no_exchange(&self, name: &str, operation: &'static str) -> Error {
        let text = format!("no exchange '{name}' in vhost '{}'", self.namespace);
        Error::new(ErrorKind::NotFound, operation, text)
    }

    pub(super) fn default_exchange(&self, operation: &'static str) -> Error {
        let text = "operation not permitted on the default exchange";
        Error::new(ErrorKind::Denied, operation, text)
    }

    fn check_equivalent(&self, current: &ExchangeSpec, received: &ExchangeSpec) -> Result<()> {
        let Some((what, received_value, current_value)) = current.difference(received) else {
            return Ok(());
        };
        let text = format!(
            "inequivalent arg '{what}' for exchange '{}' in vhost '{}': received {received_value} \
             but current is {current_value}",
            received.name, self.namespace
        );
        Err(Error::new(ErrorKind::Exists, "declare exchange", text))
    }

    /// # Errors
    /// `TooLarge` where a new binding is one too many, or its arguments are.
    fn check_room(&self, id: &BindingId, operation: &'static str) -> Result<()> {
        let count = self.bindings.len() + 1;
        let octets = self.bindings.arguments_bytes() + id.arguments.len();
        let checks = [
            (count, self.limits.bindings, "bindings"),
            (
                octets,
                self.limits.all_arguments_bytes,
                "octets of bindings' arguments",
            ),
        ];
        for (wanted, limit, unit) in checks {
            if wanted > limit {
                let text = format!("vhost '{}' has its limit of {limit} {unit}", self.namespace);
                return Err(Error::new(ErrorKind::TooLarge, operation, text));
            }
        }
        Ok(())
    }

    fn check_text(&self, text: &[u8], what: &str, operation: &'static str) -> Result<()> {
        let (length, limit) = (text.len(), self.limits.text_bytes);
        if length <= limit {
            return Ok(());
        }
        let text = format!("{what} of {length} octets; the limit is {limit}");
        Err(Error::new(ErrorKind::TooLarge, operation, text))
    }

    fn check_arguments(&self, arguments: &Arguments, operation: &'static str) -> Result<()> {
        let depth = arguments.iter().map(|(_, value)| value.depth()).max();
        let size: usize = arguments
            .iter()
            .map(|(name, v)| name.len() + v.size())
            .sum();
        let checks = [
            (depth.unwrap_or(0), self.limits.depth, "levels"),
            (size, self.limits.arguments_bytes, "octets"),
        ];
        for (actual, limit, unit) in checks {
            if actual > limit {
                let text = format!("arguments of {actual} {unit}; the limit is {limit}");
                return Err(Error::new(ErrorKind::TooLarge, operation, text));
            }
        }
        Ok(())
    }
}

pub(super) fn reserved(name: &str, operation: &'static str) -> Error {
    let text = format!("exchange name '{name}' contains reserved prefix 'amq.*'");
    Error::new(ErrorKind::Denied, operation, text)
}
