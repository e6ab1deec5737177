//! From a publish to topic names.

use std::sync::Arc;

use foldhash::{HashSet, HashSetExt};

use super::{Destination, Router, exchange::Exchange};
use crate::{
    error::{Error, ErrorKind, Result},
    message::Headers,
};

impl Router {
    /// Replaces `out` by the names of the topics that a publish to `exchange` goes to, each once. Of
    /// several keys any may match, on every exchange that it comes to.
    ///
    /// Exchanges bound to exchanges are followed, each once, so cycles end; and the alternate exchange of
    /// one where nothing matches. An empty `out` means unroutable. The default exchange answers with the
    /// keys, whether or not there are such topics.
    ///
    /// # Errors
    /// `NotFound` for an exchange that is not there, `Denied` for an internal one.
    pub fn route(
        &self,
        exchange: &str,
        keys: &[&[u8]],
        headers: &Headers,
        out: &mut Vec<Arc<str>>,
    ) -> Result<()> {
        out.clear();
        if exchange.is_empty() {
            let names = keys.iter().filter_map(|key| std::str::from_utf8(key).ok());
            out.extend(names.map(Arc::from));
            only_once(out);
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
        self.follow(first, keys, headers, out);
        only_once(out);
        Ok(())
    }

    fn follow<'a>(
        &'a self,
        first: &'a Exchange,
        keys: &[&[u8]],
        headers: &Headers,
        out: &mut Vec<Arc<str>>,
    ) {
        // Neither takes memory until an exchange is bound to an exchange.
        let mut pending: Vec<&'a str> = Vec::new();
        let mut seen: HashSet<&'a str> = HashSet::new();
        let mut current = Some(first);
        while let Some(exchange) = current {
            let mut matches = false;
            for key in keys {
                exchange.matcher.each_match(key, headers, |found| {
                    matches = true;
                    match found {
                        Destination::Topic(name) => out.push(Arc::clone(name)),
                        Destination::Exchange(name) => pending.push(name),
                    }
                });
            }
            if !matches {
                pending.extend(exchange.spec().alternate());
            }
            // A cycle leads through the first one again, which finds nothing new.
            current = std::iter::from_fn(|| pending.pop())
                .filter(|name| seen.insert(name))
                .find_map(|name| self.exchanges.get(name));
        }
    }
}

fn only_once(names: &mut Vec<Arc<str>>) {
    names.sort_unstable();
    names.dedup();
}
