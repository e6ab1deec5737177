//! What a router promises, by example and against naive oracles.

mod examples;
mod headers;
mod limits;
mod oracle;
mod properties;

use std::sync::Arc;

use super::*;
use crate::{
    error::ErrorKind,
    message::{Headers, Value},
};

fn router_with(kind: ExchangeKind) -> Router {
    let mut router = Router::new("/");
    router.declare(ExchangeSpec::new("x", kind)).unwrap();
    router
}

/// The names that a publish goes to.
fn routed(router: &Router, exchange: &str, key: &str, headers: &Headers) -> Vec<Arc<str>> {
    let mut out = Vec::new();
    let routed = router.route(exchange, &[key.as_bytes()], headers, &mut out);
    routed.expect("the exchange is there");
    out
}

fn topic(name: &str) -> Destination {
    Destination::Topic(name.into())
}

fn exchange(name: &str) -> Destination {
    Destination::Exchange(name.into())
}

fn arguments(pairs: &[(&str, Value)]) -> Arguments {
    let pairs = pairs.iter().map(|(n, v)| ((*n).into(), v.clone()));
    pairs.collect()
}
