//! Acks, nacks and rejects.

use std::sync::Arc;

use async_trait::async_trait;
use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};
use standpipe_core::{
    Error, ErrorKind, Result,
    driver::{ReceiptToken, Settlement, Settler},
};

use super::{failure::failure, outstanding::Outstanding};

/// Settles on the channel that its consumer receives on. AMQP does not answer an ack: that it
/// arrived is known when the consumer is closed, and what did not comes again.
pub(super) struct AmqpSettler {
    pub(super) channel: Channel,
    pub(super) outstanding: Arc<Outstanding>,
}

#[async_trait]
impl Settler for AmqpSettler {
    async fn settle(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        settlements
            .iter()
            .try_for_each(|(_, settlement)| check(settlement))?;
        let mut acked = Vec::with_capacity(settlements.len());
        for (receipt, settlement) in settlements {
            match settlement {
                Settlement::Ack => acked.push(receipt.number),
                Settlement::Release { .. } => self.nack(receipt.number, true).await?,
                _ => self.nack(receipt.number, false).await?,
            }
        }
        self.ack(acked).await
    }
}

impl AmqpSettler {
    async fn ack(&self, acked: Vec<u64>) -> Result<()> {
        let acks = self.outstanding.ack(acked);
        let up_to = acks.up_to.map(|tag| (tag, true));
        let single = acks.single.into_iter().map(|tag| (tag, false));
        for (tag, multiple) in up_to.into_iter().chain(single) {
            let sent = self
                .channel
                .basic_ack(tag, BasicAckOptions { multiple })
                .await;
            sent.map_err(|error| failure("ack", error))?;
        }
        Ok(())
    }

    async fn nack(&self, tag: u64, requeue: bool) -> Result<()> {
        if !self.outstanding.settle(tag) {
            return Ok(());
        }
        let options = BasicNackOptions {
            multiple: false,
            requeue,
        };
        let sent = self.channel.basic_nack(tag, options).await;
        sent.map_err(|error| failure("nack", error))
    }
}

/// # Errors
/// `Unsupported` for what AMQP 0-9-1 has no word for.
fn check(settlement: &Settlement) -> Result<()> {
    let what = match settlement {
        Settlement::Ack | Settlement::Reject { .. } => return Ok(()),
        Settlement::Release { after } if after.is_zero() => return Ok(()),
        Settlement::Release { .. } => "release a message for later",
        Settlement::Extend { .. } => "extend a delivery, which has no deadline",
    };
    let message = format!("AMQP 0-9-1 cannot {what}");
    Err(Error::new(ErrorKind::Unsupported, "settle", message))
}
