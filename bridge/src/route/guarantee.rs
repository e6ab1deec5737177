//! What a route can promise, from what its ends can do, and why.

use std::fmt;

use standpipe_core::{
    address::Address,
    driver::{Capabilities, Confirming, Deduplication, Draining, Ordering, Registry, Settling},
    pipe::settling_of,
};

use super::open_options;
use crate::config::{Guarantee, Order, RouteConfig};

/// What a route promises, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The promise.
    pub promise: Promise,
    /// The order that holds from source to destination.
    pub order: Order,
    /// One sentence each.
    pub reasons: Vec<String>,
}

/// What holds for every message of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// It arrives, perhaps twice, whatever crashes.
    AtLeastOnce,
    /// It arrives, perhaps twice, as long as the destination itself does not crash.
    AtLeastOnceUnlessDestinationCrashes,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtLeastOnce => "at least once",
            Self::AtLeastOnceUnlessDestinationCrashes => {
                "at least once, unless the destination crashes"
            }
        })
    }
}

/// What is asked of a route, and what its ends declare.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The source's capabilities.
    pub source: Capabilities,
    /// The destination's.
    pub destination: Capabilities,
    /// The order that the route shall keep.
    pub order: Order,
    /// The promise that its author wants, if any.
    pub guarantee: Option<Guarantee>,
}

/// Judges a route of a configuration.
///
/// # Errors
/// As [`judge`], or where an end's driver is not in this build.
pub fn verdict(route: &RouteConfig, registry: &Registry) -> Result<Verdict, String> {
    let capabilities = |address: &Address| match registry.driver(address) {
        Ok(driver) => Ok(driver.capabilities(address)),
        Err(error) => Err(error.to_string()),
    };
    let mut source = capabilities(&route.from)?;
    source.settling = settling_of(source, &open_options(route));
    judge(Asked {
        source,
        destination: capabilities(&route.to)?,
        order: route.order,
        guarantee: route.guarantee,
    })
}

/// Judges a route by what its ends declare.
///
/// # Errors
/// The sentence that says why it cannot be: an end that cannot be read or written, an order that
/// the source does not have, a promise that nobody can keep.
pub fn judge(asked: Asked) -> Result<Verdict, String> {
    if asked.source.draining == Draining::None {
        return Err("the source cannot be read".to_owned());
    }
    check_order(asked.order, asked.source.ordering)?;
    let mut reasons = vec![source_reason(asked.source.settling).to_owned()];
    let promise = match asked.destination.confirming {
        Confirming::None => return Err("the destination cannot be written".to_owned()),
        Confirming::Durable => {
            reasons.push("the destination confirms what survives its crash".to_owned());
            Promise::AtLeastOnce
        }
        Confirming::Accepted => {
            let why = "the destination confirms what it took; its crash may lose that";
            reasons.push(why.to_owned());
            Promise::AtLeastOnceUnlessDestinationCrashes
        }
    };
    reasons.push(duplicate_reason(asked.destination.deduplication).to_owned());
    check_promise(asked.guarantee, promise)?;
    Ok(Verdict {
        promise,
        order: asked.order,
        reasons,
    })
}

fn check_order(order: Order, source: Ordering) -> Result<(), String> {
    let missing = match (order, source) {
        (Order::None, _) | (_, Ordering::Total) | (Order::Lane | Order::Key, Ordering::Lane) => {
            return Ok(());
        }
        (Order::Total, Ordering::Lane) => {
            "order = \"total\" needs a source with one sequence; \
             this one keeps order within each partition, so write order = \"lane\""
        }
        (_, Ordering::None) => "the source keeps no order; write order = \"none\"",
    };
    Err(missing.to_owned())
}

fn check_promise(asked: Option<Guarantee>, promise: Promise) -> Result<(), String> {
    let why = match (asked, promise) {
        (None, _) | (Some(Guarantee::AtLeastOnce), Promise::AtLeastOnce) => return Ok(()),
        (Some(Guarantee::AtLeastOnce), _) => {
            "guarantee = \"at-least-once\" needs a destination whose confirmation survives its crash"
        }
        (Some(Guarantee::ExactlyOnce), _) => {
            "guarantee = \"exactly-once\" cannot be kept: after a crash between confirmation and \
             settlement a message is sent again, and this destination cannot tell"
        }
    };
    Err(why.to_owned())
}

fn source_reason(settling: Settling) -> &'static str {
    match settling {
        Settling::PerMessage => {
            "the source is told message by message, after the destination confirmed all that came of it"
        }
        Settling::Cumulative => {
            "the source's position moves up to the first message that the destination has not confirmed"
        }
        Settling::None => "the source remembers nothing: after a restart it is read again",
    }
}

fn duplicate_reason(deduplication: Deduplication) -> &'static str {
    match deduplication {
        Deduplication::Connection => {
            "duplicates: none from retries on one connection; after a crash, what was confirmed and not yet settled"
        }
        Deduplication::None => {
            "duplicates: after a lost connection or a crash, what was sent and not yet settled"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        let mut source = Capabilities::NONE;
        source.settling = Settling::PerMessage;
        source.ordering = Ordering::Lane;
        source.draining = Draining::Idle;
        let mut destination = Capabilities::NONE;
        destination.confirming = Confirming::Durable;
        Asked {
            source,
            destination,
            order: Order::Lane,
            guarantee: Some(Guarantee::AtLeastOnce),
        }
    }

    #[test]
    fn durable_ends_give_at_least_once_with_reasons() {
        let verdict = judge(asked()).unwrap();
        assert_eq!(verdict.promise, Promise::AtLeastOnce);
        assert_eq!(verdict.reasons.len(), 3);
    }

    #[test]
    fn promises_that_the_ends_cannot_keep_are_refused() {
        let mut exactly = asked();
        exactly.guarantee = Some(Guarantee::ExactlyOnce);
        assert!(judge(exactly).unwrap_err().contains("exactly-once"));
        let mut forgetful = asked();
        forgetful.destination.confirming = Confirming::Accepted;
        assert!(judge(forgetful).unwrap_err().contains("at-least-once"));
        forgetful.guarantee = None;
        assert!(judge(forgetful).is_ok());
        let mut total = asked();
        total.order = Order::Total;
        assert!(judge(total).unwrap_err().contains("order = \"lane\""));
        let mut unreadable = asked();
        unreadable.source.draining = Draining::None;
        assert!(judge(unreadable).is_err());
    }
}
