//! Answers on their way out on a stream.

use std::{sync::Arc, vec};

use futures::{StreamExt as _, future::Either, stream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::reading::{OnTheirWay, Reading};

/// Batches of answers that wait for a client that reads slowly.
pub(super) const ANSWERS: usize = 1;

/// Items that go out on a stream, as many at once as there are.
pub(super) type Answers<T> = mpsc::Sender<Result<Batch<T>, Status>>;

pub(super) type Stream<T> =
    std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

/// Items, and what is held for them until the last is taken.
#[derive(Debug)]
pub(super) struct Batch<T> {
    items: vec::IntoIter<T>,
    held: Option<(OnTheirWay, Option<OwnedSemaphorePermit>)>,
}

impl<T> Batch<T> {
    /// Items that have `room`, and are counted as they are taken.
    pub(super) fn counted(
        items: Vec<T>,
        room: Option<OwnedSemaphorePermit>,
        reading: &Arc<Reading>,
    ) -> Self {
        Self {
            held: Some((reading.send(items.len()), room)),
            items: items.into_iter(),
        }
    }
}

impl<T> From<Vec<T>> for Batch<T> {
    fn from(items: Vec<T>) -> Self {
        Self {
            items: items.into_iter(),
            held: None,
        }
    }
}

impl<T> Iterator for Batch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let item = self.items.next()?;
        if let Some((on_their_way, _)) = &mut self.held {
            on_their_way.take();
        }
        Some(item)
    }
}

/// The items of batches, one by one.
pub(super) fn one_by_one<T: Send + 'static>(
    receiver: mpsc::Receiver<Result<Batch<T>, Status>>,
) -> Stream<T> {
    let batches = ReceiverStream::new(receiver).flat_map(|batch| match batch {
        Ok(batch) => Either::Left(stream::iter(batch.map(Ok::<T, Status>))),
        Err(status) => Either::Right(stream::iter([Err(status)])),
    });
    Box::pin(batches)
}
