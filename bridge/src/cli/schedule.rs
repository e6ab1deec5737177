//! `--delay` and `--ttl`: when a published message is delivered, and until when.

use std::time::Duration;

use async_trait::async_trait;
use standpipe_core::{
    Result,
    driver::{Outcome, Transform},
    id::Millis,
    message::Message,
};

/// Sets what is given on every message that passes, in place of the message's own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Schedule {
    pub(crate) delay: Option<Duration>,
    pub(crate) ttl: Option<Duration>,
}

impl Schedule {
    /// Whether there is anything to set.
    pub(crate) fn is_empty(&self) -> bool {
        self.delay.is_none() && self.ttl.is_none()
    }

    /// Refuses what a scheme cannot carry.
    ///
    /// # Errors
    /// A message that names the flag, the scheme, and those that can.
    pub(crate) fn check(&self, scheme: &str) -> Result<(), String> {
        let refuse =
            |flag: &str, known: &str| Err(format!("{scheme}:// cannot carry {flag}; {known} can"));
        if self.delay.is_some() && !matches!(scheme, "standpipe" | "grpc") {
            return refuse("--delay", "standpipe:// and grpc://");
        }
        if self.ttl.is_some() && !matches!(scheme, "standpipe" | "grpc" | "amqp") {
            return refuse("--ttl", "standpipe://, grpc:// and amqp://");
        }
        Ok(())
    }
}

#[async_trait]
impl Transform for Schedule {
    async fn apply(&self, batch: Vec<Message>) -> Result<Vec<Outcome>> {
        let now = Millis::now();
        let set = |mut message: Message| {
            if let Some(delay) = self.delay {
                message.props.deliver_at = Some(now.after(delay));
            }
            if let Some(ttl) = self.ttl {
                message.props.ttl = Some(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
            }
            Outcome::One(message)
        };
        Ok(batch.into_iter().map(set).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_that_cannot_carry_a_flag_is_named() {
        let both = Schedule {
            delay: Some(Duration::from_secs(1)),
            ttl: Some(Duration::from_secs(1)),
        };
        assert!(both.check("standpipe").is_ok() && both.check("grpc").is_ok());
        assert!(
            both.check("amqp")
                .unwrap_err()
                .contains("amqp:// cannot carry --delay")
        );
        let ttl = Schedule {
            delay: None,
            ..both
        };
        assert!(ttl.check("amqp").is_ok());
        assert!(
            ttl.check("kafka")
                .unwrap_err()
                .contains("kafka:// cannot carry --ttl")
        );
    }
}
