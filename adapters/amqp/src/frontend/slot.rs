//! A channel number in use, and which frames must wait for what was published on it.

use std::{
    collections::HashMap,
    task::{Context, Poll},
};

use super::channel::Channel;
use crate::codec::frame::{Frame, FrameKind};

/// A channel number in use.
#[derive(Debug)]
pub(super) enum Slot {
    Open(Box<Channel>),
    /// Closed by us; frames are ignored until the client has seen that.
    Closing,
}

impl Slot {
    /// Ready once what was published so far is visible, or is known to be lost.
    pub(super) fn poll_published(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Open(channel) => channel.poll_published(context),
            Self::Closing => Poll::Ready(()),
        }
    }
}

/// Whether a frame must wait for what its channel published before it. Other channels do not.
pub(super) fn must_wait(channels: &mut HashMap<u16, Slot>, frame: &Frame) -> bool {
    sees_publishes(method_id(frame))
        && match channels.get_mut(&frame.channel) {
            Some(Slot::Open(channel)) => channel.is_publishing(),
            _ => false,
        }
}

/// Whether a method's answer, or its end, shows what its channel published before it, as in
/// RabbitMQ: `queue.declare`, `purge`, `delete` and `unbind`, `basic.get`, `exchange.delete` and
/// `unbind`, `channel.close`.
fn sees_publishes(method: (u16, u16)) -> bool {
    matches!(
        method,
        (50, 10 | 30 | 40 | 50) | (60, 70) | (40, 20 | 40) | (20, 40)
    )
}

/// Class and method of a method frame; zeroes for any other.
pub(super) fn method_id(frame: &Frame) -> (u16, u16) {
    match (frame.kind, frame.payload.first_chunk::<4>()) {
        (FrameKind::Method, Some([a, b, c, d])) => {
            (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))
        }
        _ => (0, 0),
    }
}
