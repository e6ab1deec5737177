//! One exchange: its declaration and its bindings, arranged for routing.

use super::{ExchangeSpec, matcher::Matcher};

/// An exchange in a router.
#[derive(Debug)]
pub(super) struct Exchange {
    spec: ExchangeSpec,
    pub(super) matcher: Matcher,
}

impl Exchange {
    pub(super) fn new(spec: ExchangeSpec) -> Self {
        let matcher = Matcher::new(spec.kind);
        Self { spec, matcher }
    }

    pub(super) fn spec(&self) -> &ExchangeSpec {
        &self.spec
    }

    pub(super) fn into_spec(self) -> ExchangeSpec {
        self.spec
    }
}
