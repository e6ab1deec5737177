//! What a router promises, by example and against naive oracles.

mod examples;
mod headers;
mod limits;
mod oracle;
mod properties;
mod steps;

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
    routed_by(router, exchange, &[key], headers)
}

/// The names that a publish with several keys goes to.
fn routed_by(router: &Router, exchange: &str, keys: &[&str], headers: &Headers) -> Vec<Arc<str>> {
    let (keys, mut out) = (octets(keys), Vec::new());
    let routed = router.route(exchange, &keys, headers, &mut out);
    routed.expect("the exchange is there");
    out
}

/// Whether a publish to `x` takes exactly so many steps.
fn assert_steps(router: &mut Router, keys: &[&str], headers: &Headers, steps: usize) {
    let keys = octets(keys);
    let is_enough = [steps - 1, steps].map(|limit| {
        router.limits.route_steps = limit;
        let routed = router.route("x", &keys, headers, &mut Vec::new());
        routed.is_ok()
    });
    assert_eq!(is_enough, [false, true], "{steps} steps");
}

fn octets<'a>(keys: &[&'a str]) -> Vec<&'a [u8]> {
    keys.iter().map(|key| key.as_bytes()).collect()
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
