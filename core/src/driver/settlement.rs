//! What a consumer says about a message that it was given.

use std::time::Duration;

use crate::message::Text;

/// The end, or the extension, of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Done: never to be delivered to this subscription again.
    Ack,
    /// Back to its original place; counts as an attempt.
    Release {
        /// How long it stays invisible; zero makes it available at once.
        after: Duration,
    },
    /// Refused for good: dead-lettered where there is a target, else forgotten for this subscription.
    Reject {
        /// Why, in a word or a short phrase; it ends in the dead letter's headers.
        reason: Text,
    },
    /// Still being worked on: the lease ends this much later than now.
    Extend {
        /// The new time left, counted from now.
        by: Duration,
    },
}

impl Settlement {
    /// Back to its place, available at once.
    pub const RELEASE: Self = Self::Release {
        after: Duration::ZERO,
    };

    /// A refusal with its reason.
    pub fn reject(reason: impl Into<Text>) -> Self {
        Self::Reject {
            reason: reason.into(),
        }
    }

    /// Whether the delivery is over with it; only an extension leaves it open.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Extend { .. })
    }
}
