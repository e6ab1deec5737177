//! From a publish to topic names.

use std::sync::Arc;

use foldhash::{HashSet, HashSetExt};

use super::{Destination, Router, exchange::Exchange};
use crate::{
    error::{Error, ErrorKind, Result},
    message::Headers,
};

impl Router {
    /// Replaces `out` by the names of the topics that a publish to `exchange` goes to, each once.
    ///
    /// Exchanges bound to exchanges are followed, each once, so cycles end. An empty `out` means
    /// unroutable. The default exchange answers with its key, whether or not there is such a topic.
    ///
    /// # Errors
    /// `NotFound` for an exchange that is not there, `Denied` for an internal one.
    pub fn route(
        &self,
        exchange: &str,
        key: &[u8],
        headers: &Headers,
        out: &mut Vec<Arc<str>>,
    ) -> Result<()> {
        out.clear();
        if exchange.is_empty() {
            out.extend(std::str::from_utf8(key).ok().map(Arc::from));
            return Ok(());
        }
        let first = self.exchanges.get(exchange);
        let first = first.ok_or_else(|| self.no_exchange(exchange, "publish"))?;
        if first.spec().internal {
            let namespace = &self.namespace;
            let text =
                format!("cannot publish to internal exchange '{exchange}' in vhost '{namespace}'");
            return Err(Error::new(ErrorKind::Denied, "publish", text));
        }
        self.follow(first, key, headers, out);
        out.sort_unstable();
        out.dedup();
        Ok(())
    }

    fn follow<'a>(
        &'a self,
        first: &'a Exchange,
        key: &[u8],
        headers: &Headers,
        out: &mut Vec<Arc<str>>,
    ) {
        // Neither takes memory until an exchange is bound to an exchange.
        let mut pending: Vec<&'a Arc<str>> = Vec::new();
        let mut seen: HashSet<&'a str> = HashSet::new();
        let mut current = Some(first);
        while let Some(exchange) = current {
            exchange
                .matcher
                .each_match(key, headers, |found| match found {
                    Destination::Topic(name) => out.push(Arc::clone(name)),
                    Destination::Exchange(name) => pending.push(name),
                });
            // A cycle leads through the first one again, which finds nothing new.
            current = std::iter::from_fn(|| pending.pop())
                .filter(|name| seen.insert(name))
                .find_map(|name| self.exchanges.get(name));
        }
    }
}
