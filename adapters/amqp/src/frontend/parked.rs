//! Frames that wait until what their channel published before them is visible to it.

use std::collections::{HashMap, VecDeque};

use crate::codec::frame::Frame;

/// Octets that may wait; nothing is read from the client above it.
const LIMIT: usize = 1 << 20;

/// The frames of each channel that waits, in order.
#[derive(Debug, Default)]
pub(super) struct Parked {
    channels: HashMap<u16, VecDeque<Frame>>,
    octets: usize,
}

impl Parked {
    /// Puts a frame behind those of its channel.
    pub(super) fn push(&mut self, frame: Frame) {
        self.octets += cost(&frame);
        self.channels
            .entry(frame.channel)
            .or_default()
            .push_back(frame);
    }

    /// The channel's first frame.
    pub(super) fn first(&self, channel: u16) -> Option<&Frame> {
        self.channels.get(&channel)?.front()
    }

    /// Takes the channel's first frame.
    pub(super) fn take(&mut self, channel: u16) -> Option<Frame> {
        let frames = self.channels.get_mut(&channel)?;
        let frame = frames.pop_front()?;
        if frames.is_empty() {
            self.channels.remove(&channel);
        }
        self.octets -= cost(&frame);
        Some(frame)
    }

    /// Whether frames of this channel wait, so that others go behind them.
    pub(super) fn holds(&self, channel: u16) -> bool {
        self.channels.contains_key(&channel)
    }

    /// The channels that wait.
    pub(super) fn channels(&self) -> impl Iterator<Item = u16> + '_ {
        self.channels.keys().copied()
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.octets < LIMIT
    }
}

fn cost(frame: &Frame) -> usize {
    size_of::<Frame>() + frame.payload.len()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::frame::FrameKind;

    fn frame(channel: u16, size: usize) -> Frame {
        Frame {
            kind: FrameKind::Body,
            channel,
            payload: Bytes::from(vec![0; size]),
        }
    }

    #[test]
    fn each_channel_keeps_its_order() {
        let mut parked = Parked::default();
        for (channel, size) in [(1, 1), (2, 2), (1, 3)] {
            parked.push(frame(channel, size));
        }
        let sizes =
            [1, 1, 1, 2, 2].map(|channel| parked.take(channel).map(|frame| frame.payload.len()));
        assert_eq!(sizes, [Some(1), Some(3), None, Some(2), None]);
        assert!(!parked.holds(1) && !parked.holds(2));
    }

    #[test]
    fn there_is_no_room_from_the_limit_on_until_frames_are_taken() {
        let mut parked = Parked::default();
        parked.push(frame(1, LIMIT / 2));
        assert!(parked.has_room());
        parked.push(frame(1, LIMIT / 2));
        assert!(!parked.has_room());
        parked.take(1);
        assert!(parked.has_room());
    }

    #[test]
    fn empty_frames_take_room_too() {
        let mut parked = Parked::default();
        while parked.has_room() {
            parked.push(frame(1, 0));
        }
        assert!(parked.channels[&1].len() <= LIMIT / 16);
    }
}
