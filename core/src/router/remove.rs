//! Deleting exchanges and unbinding, with all that follows from it.

use super::{Binding, Destination, ExchangeSpec, Router, binding::BindingId, declare::reserved};
use crate::error::{Error, ErrorKind, Result};

/// What went: the thing named and everything that could not stay without it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Removed {
    /// Exchanges, the deleted one first, then those of `auto_delete` that lost their last binding.
    pub exchanges: Vec<ExchangeSpec>,
    /// Bindings from or to them.
    pub bindings: Vec<Binding>,
}

impl Removed {
    /// Whether there was nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.bindings.is_empty()
    }
}

impl Router {
    /// Deletes an exchange with its bindings; one that is not there is no error, as in RabbitMQ.
    ///
    /// # Errors
    /// `Denied` for the default and the predeclared exchanges, `Conflict` where `if_unused` and
    /// something is bound to it.
    pub fn delete(&mut self, name: &str, if_unused: bool) -> Result<Removed> {
        const OPERATION: &str = "delete exchange";
        if name.is_empty() {
            return Err(self.default_exchange(OPERATION));
        }
        if name.starts_with("amq.") {
            return Err(reserved(name, OPERATION));
        }
        if if_unused && self.bindings.has_source(name) {
            let text = format!("exchange '{name}' in vhost '{}' in use", self.namespace);
            return Err(Error::new(ErrorKind::Conflict, OPERATION, text));
        }
        let mut removed = Removed::default();
        let ids = self.take_exchange(name, &mut removed);
        self.take_bindings(ids, &mut removed);
        Ok(removed)
    }

    /// Removes one binding, equal in all its fields; one that is not there is no error.
    ///
    /// # Errors
    /// `NotFound` for an exchange that is not there, `Denied` for the default exchange.
    pub fn unbind(&mut self, binding: &Binding) -> Result<Removed> {
        self.check_ends(binding, "unbind")?;
        let mut removed = Removed::default();
        self.take_bindings(vec![binding.id()], &mut removed);
        Ok(removed)
    }

    /// Removes every binding to the topic called `name`, which is being deleted.
    pub fn unbind_topic(&mut self, name: &str) -> Removed {
        let mut removed = Removed::default();
        let ids = self.bindings.ids_to(&Destination::Topic(name.into()));
        self.take_bindings(ids, &mut removed);
        removed
    }

    /// Takes bindings out, and the `auto_delete` exchanges that are left without any, and theirs.
    fn take_bindings(&mut self, mut ids: Vec<BindingId>, removed: &mut Removed) {
        ids.reverse();
        while let Some(id) = ids.pop() {
            let Some(binding) = self.bindings.remove(&id) else {
                continue;
            };
            removed.bindings.push(binding);
            let Some(source) = self.exchanges.get_mut(&id.source) else {
                continue;
            };
            source.matcher.remove(&id);
            if source.spec().auto_delete && !self.bindings.has_source(&id.source) {
                ids.extend(self.take_exchange(&id.source, removed));
            }
        }
    }

    /// Takes an exchange out; returns the bindings from and to it, still to be removed.
    fn take_exchange(&mut self, name: &str, removed: &mut Removed) -> Vec<BindingId> {
        let Some(exchange) = self.exchanges.remove(name) else {
            return Vec::new();
        };
        removed.exchanges.push(exchange.into_spec());
        let mut ids = self.bindings.ids_from(name);
        ids.extend(self.bindings.ids_to(&Destination::Exchange(name.into())));
        ids
    }
}
