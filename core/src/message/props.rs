//! Standard properties: what AMQP calls basic properties, under names of no one protocol.

use super::Text;
use crate::id::Millis;

/// Standard properties; each absent unless the producer set it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Props {
    /// The producer's id for the message (AMQP `message-id`).
    pub id: Option<Text>,
    /// What this message answers.
    pub correlation_id: Option<Text>,
    /// Where an answer should go.
    pub reply_to: Option<Text>,
    /// MIME type of the payload.
    pub content_type: Option<Text>,
    /// MIME encoding of the payload.
    pub content_encoding: Option<Text>,
    /// 0 to 255; higher is served first where the queue has levels.
    pub priority: Option<u8>,
    /// Time to live in milliseconds, counted from when the broker appended the message.
    pub ttl: Option<u64>,
    /// Not to be delivered before.
    pub deliver_at: Option<Millis>,
    /// The producer's clock. AMQP keeps seconds under `timestamp`, milliseconds in a header.
    pub timestamp: Option<Millis>,
    /// The authenticated user who published it, where the producer said so.
    pub user_id: Option<Text>,
    /// The publishing application.
    pub app_id: Option<Text>,
    /// The message's type (AMQP `type`).
    pub kind: Option<Text>,
    /// Whether the producer asked for it to survive a restart (AMQP `delivery-mode` 2 or 1).
    pub durable: Option<bool>,
}
