//! Turns at the answers that grow with the broker, such as lists of its topics.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

use crate::error::{Error, ErrorKind, Result};

/// How long a request may wait for its turn, and how long its client may take to read the answer.
pub const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Such answers at once, all connections of a frontend together: each may hold dozens of megabytes.
const TURNS: usize = 4;

/// The turns of one connection, among those of its frontend.
#[derive(Debug, Clone)]
pub struct AnswerTurns {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

impl Default for AnswerTurns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(TURNS)),
            own: Arc::new(Semaphore::new(1)),
        }
    }
}

impl AnswerTurns {
    /// Those of another connection of the same frontend.
    #[must_use]
    pub fn of_connection(&self) -> Self {
        Self {
            all: self.all.clone(),
            own: Arc::new(Semaphore::new(1)),
        }
    }

    /// Waits until the connection's last such answer was read, and then for one of the frontend's
    /// turns; first come, first served. Cancel-safe.
    ///
    /// # Errors
    /// `Throttled` where that takes longer than [`ANSWER_TIME`].
    pub async fn turn(&self) -> Result<AnswerTurn> {
        let turn = async {
            let own = self.own.clone().acquire_owned().await;
            let all = self.all.clone().acquire_owned().await;
            own.ok().zip(all.ok())
        };
        let turn = timeout(ANSWER_TIME, turn).await.ok().flatten();
        let (own, all) = turn.ok_or_else(busy)?;
        Ok(AnswerTurn {
            _own: own,
            _all: all,
            _over: None,
        })
    }
}

/// The turn of one answer; it is over when this is dropped: once the last octet is written.
#[derive(Debug)]
pub struct AnswerTurn {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
    _over: Option<oneshot::Sender<()>>,
}

impl AnswerTurn {
    /// Calls `late` where the turn is not over [`ANSWER_TIME`] from now: the client does not read, and
    /// others wait.
    #[must_use]
    pub fn watched(self, late: impl FnOnce() + Send + 'static) -> Self {
        let (over, is_over) = oneshot::channel::<()>();
        tokio::spawn(async move {
            // Nothing is ever sent: the turn takes the sender with it.
            if timeout(ANSWER_TIME, is_over).await.is_err() {
                late();
            }
        });
        Self {
            _over: Some(over),
            ..self
        }
    }
}

fn busy() -> Error {
    let seconds = ANSWER_TIME.as_secs();
    let message = format!(
        "one answer of this kind is given to a connection at once, and {TURNS} to all together; \
         none was read to its end for {seconds} s: read what was asked before, and ask again"
    );
    Error::new(ErrorKind::Throttled, "wait for turn", message)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_one_turn_and_all_of_them_have_four() {
        let all = AnswerTurns::default();
        let connections: Vec<_> = (0..=TURNS).map(|_| all.of_connection()).collect();
        let first = connections[0].turn().await.unwrap();
        assert!(connections[0].turn().now_or_never().is_none());
        let mut others = Vec::new();
        for connection in &connections[1..TURNS] {
            others.push(connection.turn().await.unwrap());
        }
        assert!(connections[TURNS].turn().now_or_never().is_none());
        drop(first);
        connections[TURNS].turn().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_is_over_in_time_is_not_late() {
        let turns = AnswerTurns::default();
        let (late, is_late) = oneshot::channel();
        let turn = turns.turn().await.unwrap();
        drop(turn.watched(|| late.send(()).unwrap()));
        is_late.await.unwrap_err();
        let (late, is_late) = oneshot::channel();
        let turn = turns.turn().await.unwrap();
        let _turn = turn.watched(|| late.send(()).unwrap());
        is_late.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_does_not_wait_for_ever() {
        let turns = AnswerTurns::default();
        let _unread = turns.turn().await.unwrap();
        let refused = turns.turn().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Throttled);
    }
}
