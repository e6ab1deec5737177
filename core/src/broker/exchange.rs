//! Exchanges and bindings: the router of each namespace, made durable.

use bytes::Bytes;

use super::{Broker, Lifetime, catalog};
use crate::{
    error::Result,
    router::{Binding, Destination, ExchangeSpec, Router},
};

impl Broker {
    /// Declares an exchange; `true` where it is new.
    ///
    /// # Errors
    /// As [`Router::declare`], and the store's.
    pub async fn declare_exchange(&self, namespace: &str, spec: ExchangeSpec) -> Result<bool> {
        let _admin = self.admin().await?;
        let declared = self.with_router(namespace, |router| router.declare(spec.clone()))?;
        if declared.created && spec.durable {
            let key = catalog::named(catalog::EXCHANGES, namespace, &spec.name);
            self.commit_done(vec![catalog::put(key, &spec)]).await?;
        }
        Ok(declared.created)
    }

    /// Deletes an exchange with its bindings; one that is not there is no error.
    ///
    /// # Errors
    /// As [`Router::delete`], and the store's.
    pub async fn delete_exchange(
        &self,
        namespace: &str,
        name: &str,
        if_unused: bool,
    ) -> Result<()> {
        let _admin = self.admin().await?;
        let removed = self.with_router(namespace, |router| router.delete(name, if_unused))?;
        self.commit_done(self.removal_ops(namespace, &removed))
            .await
    }

    /// Binds; a binding to a topic that does not exist is refused. Kept over a restart where both
    /// ends are.
    ///
    /// # Errors
    /// `NotFound` for a missing end, and as [`Router::bind`].
    pub async fn bind(&self, namespace: &str, binding: Binding) -> Result<()> {
        let _admin = self.admin().await?;
        if let Destination::Topic(name) = &binding.destination {
            let topic = self.topic(namespace, name);
            topic.ok_or_else(|| super::queue::no_queue(namespace, name))?;
        }
        let new = self.with_router(namespace, |router| router.bind(binding.clone()))?;
        if new && self.is_kept(namespace, &binding) {
            let key = binding_key(namespace, &binding);
            self.commit_done(vec![catalog::put(key, &binding)]).await?;
        }
        Ok(())
    }

    /// Unbinds; a binding that is not there is no error.
    ///
    /// # Errors
    /// As [`Router::unbind`], and the store's.
    pub async fn unbind(&self, namespace: &str, binding: &Binding) -> Result<()> {
        let _admin = self.admin().await?;
        let removed = self.with_router(namespace, |router| router.unbind(binding))?;
        self.commit_done(self.removal_ops(namespace, &removed))
            .await
    }

    /// The exchange of that name.
    pub fn exchange(&self, namespace: &str, name: &str) -> Option<ExchangeSpec> {
        let state = self.inner.state.read();
        state.router(namespace).ok()?.exchange(name).cloned()
    }

    /// All exchanges of a namespace, by name.
    pub fn exchanges(&self, namespace: &str) -> Vec<ExchangeSpec> {
        let state = self.inner.state.read();
        let router = state.router(namespace).ok();
        let mut exchanges: Vec<_> = router
            .into_iter()
            .flat_map(Router::exchanges)
            .cloned()
            .collect();
        exchanges.sort_by(|a, b| a.name.cmp(&b.name));
        exchanges
    }

    /// All bindings of a namespace.
    pub fn bindings(&self, namespace: &str) -> Vec<Binding> {
        let state = self.inner.state.read();
        let router = state.router(namespace).ok();
        router
            .into_iter()
            .flat_map(Router::bindings)
            .cloned()
            .collect()
    }

    fn with_router<T>(
        &self,
        namespace: &str,
        act: impl FnOnce(&mut Router) -> Result<T>,
    ) -> Result<T> {
        let mut state = self.inner.state.write();
        let router = state
            .routers
            .entry(namespace.into())
            .or_insert_with(|| Router::new(namespace));
        act(router)
    }

    fn is_kept(&self, namespace: &str, binding: &Binding) -> bool {
        let durable = |name: &str| {
            self.exchange(namespace, name)
                .is_some_and(|spec| spec.durable)
        };
        let to = match &binding.destination {
            Destination::Exchange(name) => durable(name),
            Destination::Topic(name) => self
                .topic(namespace, name)
                .is_some_and(|topic| topic.lifetime() == Lifetime::Permanent),
        };
        to && durable(&binding.source)
    }
}

/// The key of a binding: all of it, since all of it is its identity.
pub(super) fn binding_key(namespace: &str, binding: &Binding) -> Bytes {
    let text = serde_json::to_string(binding).expect("bindings are plain data");
    catalog::named(catalog::BINDINGS, namespace, &text)
}

/// Reads the exchanges and bindings of a namespace back.
pub(super) fn restore(router: &mut Router, exchanges: Vec<ExchangeSpec>, bindings: Vec<Binding>) {
    for spec in exchanges {
        if let Err(error) = router.declare(spec) {
            tracing::error!(%error, "an exchange of the store is left out");
        }
    }
    for binding in bindings {
        if let Err(error) = router.rebind(binding) {
            tracing::error!(%error, "a binding of the store is left out");
        }
    }
}
