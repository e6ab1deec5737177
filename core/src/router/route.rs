//! From a publish to topic names.

use std::sync::Arc;

use foldhash::{HashSet, HashSetExt};
use smallvec::SmallVec;

use super::{
    Destination, Router, exchange::Exchange, named_headers::NamedHeaders, names::Names,
    steps::Steps,
};
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
    /// `NotFound` for an exchange that is not there, `Denied` for an internal one, `TooLarge` where it
    /// takes more steps than a route may.
    pub fn route(
        &self,
        exchange: &str,
        keys: &[&[u8]],
        headers: &Headers,
        out: &mut Vec<Arc<str>>,
    ) -> Result<()> {
        out.clear();
        // A client may repeat them; each one that is left is matched.
        let mut keys: SmallVec<[&[u8]; 4]> = SmallVec::from_slice(keys);
        keys.sort_unstable();
        keys.dedup();
        if exchange.is_empty() {
            let names = keys.iter().filter_map(|key| std::str::from_utf8(key).ok());
            out.extend(names.map(Arc::from));
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
        self.follow(first, &keys, headers, out).ok_or_else(|| {
            out.clear();
            self.too_many_steps(exchange)
        })
    }

    /// `None` where it takes more steps than a route may.
    fn follow<'a>(
        &'a self,
        first: &'a Exchange,
        keys: &[&[u8]],
        headers: &Headers,
        out: &mut Vec<Arc<str>>,
    ) -> Option<()> {
        let mut names = Names::new(out);
        let mut headers = NamedHeaders::new(headers);
        let mut steps = Steps::new(self.limits.route_steps);
        // Neither takes memory until an exchange is bound to an exchange.
        let mut pending: Vec<&'a str> = Vec::new();
        let mut seen: HashSet<&'a str> = HashSet::new();
        let mut current = Some(first);
        while let Some(exchange) = current {
            let mut matches = false;
            let matcher = &exchange.matcher;
            matcher.each_match(keys, &mut headers, &mut steps, |found| {
                matches = true;
                match found {
                    Destination::Topic(name) => names.push(name),
                    // A cycle leads through the first one again, which finds nothing new.
                    Destination::Exchange(name) if seen.insert(name) => pending.push(name),
                    Destination::Exchange(_) => {}
                }
            })?;
            if !matches {
                let alternate = exchange.spec().alternate();
                pending.extend(alternate.filter(|name| seen.insert(name)));
            }
            current =
                std::iter::from_fn(|| pending.pop()).find_map(|name| self.exchanges.get(name));
        }
        names.only_once();
        Some(())
    }

    fn too_many_steps(&self, exchange: &str) -> Error {
        let (limit, namespace) = (self.limits.route_steps, &self.namespace);
        let text = format!(
            "routing a message from exchange '{exchange}' in vhost '{namespace}' takes more than \
             {limit} steps, the limit; bind less to it, or send fewer keys and headers"
        );
        Error::new(ErrorKind::TooLarge, "publish", text)
    }
}
