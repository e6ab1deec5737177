//! Requests as they come: no faster than there is room for them, and each whole in time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use tokio::time::{Instant, timeout};
use tonic::{Status, body::Body, service::AxumBody};

use crate::intake::Share;

/// How long a request may take from its first octet to its last; the wait for room does not count.
const RECEIVE: Duration = Duration::from_secs(60);

/// The same octets, each once `share` has room for it.
pub(super) fn metered(body: Body, share: Arc<Share>) -> Body {
    let octets = AxumBody::new(body).into_data_stream();
    let octets = octets.map_err(|error| Status::from_error(error.into()));
    let receiving = Receiving {
        octets: octets.boxed(),
        share,
        request: 0,
        left: RECEIVE,
    };
    let metered = stream::try_unfold(receiving, Receiving::next);
    Body::new(AxumBody::from_stream(metered))
}

struct Receiving {
    octets: BoxStream<'static, Result<Bytes, Status>>,
    share: Arc<Share>,
    /// The number of the request that is coming, and the time that is left for it.
    request: u64,
    left: Duration,
}

impl Receiving {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Status> {
        let Some(octets) = self.receive().await? else {
            return Ok(None);
        };
        self.share.grow(octets.len()).await;
        Ok(Some((octets, self)))
    }

    async fn receive(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(request) = self.share.unfinished() else {
            return self.octets.try_next().await;
        };
        if request != self.request {
            self.request = request;
            self.left = RECEIVE;
        }
        let begun = Instant::now();
        let received = timeout(self.left, self.octets.try_next()).await;
        self.left = self.left.saturating_sub(begun.elapsed());
        received.unwrap_or_else(|_| Err(late()))
    }
}

fn late() -> Status {
    let seconds = RECEIVE.as_secs();
    Status::deadline_exceeded(format!(
        "a request did not come to its end within {seconds} s; send it anew, or in smaller ones"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::Intake;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_come_to_its_end_in_time_ends_its_stream() {
        let share = Arc::new(Intake::default().share());
        let part = stream::iter([Ok::<_, Status>(Bytes::from_static(b"part"))]);
        let body = AxumBody::from_stream(part.chain(stream::pending()));
        let body = metered(Body::new(body), share);
        let mut octets = AxumBody::new(body).into_data_stream();
        assert_eq!(octets.next().await.unwrap().unwrap(), "part");
        let before = Instant::now();
        let late = octets.next().await.unwrap().unwrap_err();
        assert!(before.elapsed() >= RECEIVE, "{:?}", before.elapsed());
        let late = Status::from_error(late.into());
        assert_eq!(late.code(), tonic::Code::DeadlineExceeded);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_may_be_silent_between_two_requests() {
        let share = Arc::new(Intake::default().share());
        let (sender, chunks) = tokio::sync::mpsc::channel::<Result<Bytes, Status>>(1);
        let chunks = tokio_stream::wrappers::ReceiverStream::new(chunks);
        let body = metered(Body::new(AxumBody::from_stream(chunks)), share.clone());
        let mut octets = AxumBody::new(body).into_data_stream();
        let request = Bytes::from_static(b"\0\0\0\0\x01x");
        sender.send(Ok(request.clone())).await.unwrap();
        octets.next().await.unwrap().unwrap();
        share.whole(request.slice(5..));
        assert!(timeout(2 * RECEIVE, octets.next()).await.is_err());
        sender.send(Ok(request)).await.unwrap();
        octets.next().await.unwrap().unwrap();
    }
}
