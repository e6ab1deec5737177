//! What waits to be written to one client: replies, confirms and deliveries in one order.
//!
//! Deliveries wait for [`Output::room`]; replies are small and do not, up to a hard limit, so that
//! a client that sends before it reads is still heard, and one that never reads costs a bounded
//! amount of memory.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::codec::{
    frame::{FrameKind, put_frame, put_frame_end, put_frame_head},
    method::Method,
};

/// Octets behind which deliveries wait.
const SOFT_LIMIT: usize = 1 << 20;
/// Octets behind which nothing more is read from the client.
const HARD_LIMIT: usize = 8 << 20;
/// Bodies of this size and more are written from where they are; smaller ones are cheaper to copy.
const SHARE_FROM: usize = 2048;

/// The queue between a connection's tasks and its writer.
#[derive(Debug, Default)]
pub(super) struct Output {
    waiting: Mutex<Waiting>,
    /// Something is there to write, or the end was declared.
    filled: Notify,
    /// Something was written.
    drained: Notify,
}

/// Octets in order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    /// Octets here and at the writer.
    bytes: usize,
    /// Octets that were written.
    taken: u64,
    ended: bool,
}

impl Output {
    /// Appends whatever `write` appends, at once and in one place.
    pub(super) fn write<T>(&self, write: impl FnOnce(&mut Waiting) -> T) -> T {
        let result = write(&mut self.waiting.lock());
        self.filled.notify_one();
        result
    }

    /// Appends a method frame.
    pub(super) fn method(&self, channel: u16, method: &Method) {
        self.write(|waiting| waiting.method(channel, method));
    }

    /// Waits until deliveries may be added, or the end.
    pub(super) async fn room(&self) {
        self.below(SOFT_LIMIT).await;
    }

    /// Waits until replies may be added, or the end.
    pub(super) async fn room_for_replies(&self) {
        self.below(HARD_LIMIT).await;
    }

    /// Whether replies may be added now.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.lock().bytes < HARD_LIMIT
    }

    /// Nothing follows; the writer ends once all is written.
    pub(super) fn end(&self) {
        self.write(|waiting| waiting.ended = true);
        self.drained.notify_waiters();
    }

    /// Takes all that waits; `None` once the end is reached.
    pub(super) async fn take(&self) -> Option<VecDeque<Bytes>> {
        loop {
            let filled = self.filled.notified();
            {
                let mut waiting = self.waiting.lock();
                waiting.flush();
                if !waiting.chunks.is_empty() {
                    return Some(std::mem::take(&mut waiting.chunks));
                }
                if waiting.ended {
                    return None;
                }
            }
            filled.await;
        }
    }

    /// Counts octets as written.
    pub(super) fn written(&self, bytes: usize) {
        let mut waiting = self.waiting.lock();
        waiting.bytes -= bytes;
        waiting.taken += bytes as u64;
        drop(waiting);
        self.drained.notify_waiters();
    }

    /// Octets that the client's side has taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.waiting.lock().taken
    }

    async fn below(&self, limit: usize) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            {
                let waiting = self.waiting.lock();
                if waiting.bytes < limit || waiting.ended {
                    return;
                }
            }
            drained.await;
        }
    }
}

impl Waiting {
    /// Appends a method frame.
    ///
    /// # Panics
    /// When the method has a table that AMQP cannot carry; ours have none such.
    pub(super) fn method(&mut self, channel: u16, method: &Method) {
        self.tail(|tail| {
            put_frame(tail, FrameKind::Method, channel, |out| {
                method.encode(out).expect("our methods' tables are plain");
            });
        });
    }

    /// Appends a content header frame and the body frames of a message (specification 4.2.6).
    pub(super) fn content(
        &mut self,
        channel: u16,
        properties: &[u8],
        body: &Bytes,
        frame_max: usize,
    ) {
        self.tail(|tail| {
            put_frame(tail, FrameKind::Header, channel, |out| {
                out.extend_from_slice(&[0, 60, 0, 0]);
                out.extend_from_slice(&(body.len() as u64).to_be_bytes());
                out.extend_from_slice(properties);
            });
        });
        let mut rest = body.clone();
        while !rest.is_empty() {
            let part = rest.split_to(
                rest.len()
                    .min(frame_max - crate::codec::frame::FRAME_OVERHEAD),
            );
            self.tail(|tail| {
                put_frame_head(tail, FrameKind::Body, channel, part.len());
            });
            if part.len() < SHARE_FROM {
                self.tail(|tail| tail.extend_from_slice(&part));
            } else {
                self.bytes += part.len();
                self.flush();
                self.chunks.push_back(part);
            }
            self.tail(put_frame_end);
        }
    }

    /// Appends octets as they are.
    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.tail(|tail| tail.extend_from_slice(octets));
    }

    fn tail(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let before = self.tail.len();
        write(&mut self.tail);
        self.bytes += self.tail.len() - before;
    }

    fn flush(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    async fn taken(output: &Output) -> Vec<u8> {
        output.take().await.unwrap().into_iter().flatten().collect()
    }

    #[tokio::test]
    async fn large_bodies_are_split_and_not_copied() {
        let (output, body) = (Output::default(), Bytes::from(vec![7u8; 10_000]));
        output.write(|waiting| waiting.content(1, b"\0\0", &body, 4096));
        let chunks = output.take().await.unwrap();
        let first = chunks.iter().find(|chunk| chunk.len() == 4088).unwrap();
        assert_eq!(first.as_ptr(), body.as_ptr());
        let octets: usize = chunks.iter().map(Bytes::len).sum();
        assert_eq!(octets, 10_000 + 8 + 14 + 3 * 8);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_stops_deliveries_first_and_replies_later() {
        let output = Output::default();
        output.write(|waiting| waiting.octets(&vec![0; SOFT_LIMIT]));
        assert!(output.room().now_or_never().is_none());
        assert!(output.room_for_replies().now_or_never().is_some());
        output.write(|waiting| waiting.octets(&vec![0; HARD_LIMIT]));
        assert!(output.room_for_replies().now_or_never().is_none());
        let bytes = taken(&output).await.len();
        output.written(bytes);
        assert!(output.room().now_or_never().is_some());
    }

    #[tokio::test]
    async fn the_end_comes_after_everything() {
        let output = Output::default();
        output.write(|waiting| waiting.octets(b"last"));
        output.end();
        assert_eq!(taken(&output).await, b"last");
        assert!(output.take().await.is_none());
    }
}
