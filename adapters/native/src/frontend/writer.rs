//! What goes out on a connection, from all that it has going on.

use bytes::BytesMut;
use standpipe_core::{
    Error, ErrorKind, Result,
    frontend::{ANSWER_TIME, AnswerTurn},
    session::{CHANNEL_DEPTH, EVENT_DEPTH, Event, Outcome},
};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
    time::timeout,
};

use crate::codec::ServerFrame;

/// Octets that are put together before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// Outcomes of one frame.
const FRAME_OUTCOMES: usize = 4096;

/// A frame, and the turn that it has until it is written where it may be large.
type Framed = (ServerFrame, Option<AnswerTurn>);

/// Where sessions put what goes out.
pub(super) struct Outlets {
    pub(super) outcomes: mpsc::Sender<Vec<Outcome>>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) frames: mpsc::Sender<Framed>,
}

/// Where the writer takes it from.
pub(super) struct Outgoing {
    outcomes: mpsc::Receiver<Vec<Outcome>>,
    events: mpsc::Receiver<Event>,
    frames: mpsc::Receiver<Framed>,
}

pub(super) fn outlets() -> (Outlets, Outgoing) {
    let (outcomes, outcomes_out) = mpsc::channel(CHANNEL_DEPTH);
    let (events, events_out) = mpsc::channel(EVENT_DEPTH);
    let (frames, frames_out) = mpsc::channel(CHANNEL_DEPTH);
    let outlets = Outlets {
        outcomes,
        events,
        frames,
    };
    let outgoing = Outgoing {
        outcomes: outcomes_out,
        events: events_out,
        frames: frames_out,
    };
    (outlets, outgoing)
}

/// Writes until every outlet is gone, or a failure was written, which is always the last.
pub(super) async fn write(
    mut sender: impl AsyncWrite + Unpin,
    mut outgoing: Outgoing,
) -> Result<()> {
    let mut out = BytesMut::new();
    let mut failed = false;
    while !failed {
        let Some(mut item) = outgoing.next().await else {
            break;
        };
        let mut turns = Vec::from_iter(item.turn());
        failed = item.encode(&mut out);
        while !failed
            && out.len() < WRITE_BYTES
            && let Some(mut item) = outgoing.ready()
        {
            turns.extend(item.turn());
            failed = item.encode(&mut out);
        }
        send(&mut sender, &out, turns).await?;
        out.clear();
        if out.capacity() > 2 * WRITE_BYTES {
            out = BytesMut::new();
        }
    }
    let _ = sender.shutdown().await;
    Ok(())
}

/// Writes all of it. What has a turn must be read in time: others wait for theirs.
async fn send(
    sender: &mut (impl AsyncWrite + Unpin),
    out: &[u8],
    turns: Vec<AnswerTurn>,
) -> Result<()> {
    let failed = |why: String| Error::new(ErrorKind::Disconnected, "write native connection", why);
    let writing = sender.write_all(out);
    let written = if turns.is_empty() {
        writing.await
    } else {
        timeout(ANSWER_TIME, writing).await.map_err(|_| {
            let seconds = ANSWER_TIME.as_secs();
            failed(format!("a large answer was not read within {seconds} s"))
        })?
    };
    written.map_err(|error| failed(error.to_string()))
}

enum Item {
    Outcomes(Vec<Outcome>),
    Event(Event),
    Frame(ServerFrame, Option<AnswerTurn>),
}

impl Item {
    fn turn(&mut self) -> Option<AnswerTurn> {
        match self {
            Self::Frame(_, turn) => turn.take(),
            Self::Outcomes(_) | Self::Event(_) => None,
        }
    }

    /// Appends it; `true` where nothing may follow.
    fn encode(self, out: &mut BytesMut) -> bool {
        match self {
            Self::Outcomes(outcomes) => {
                for outcomes in outcomes.chunks(FRAME_OUTCOMES) {
                    ServerFrame::Outcomes(outcomes.to_vec()).encode(out);
                }
                false
            }
            Self::Event(event) => {
                ServerFrame::Event(event).encode(out);
                false
            }
            Self::Frame(frame, _) => {
                frame.encode(out);
                matches!(frame, ServerFrame::Failed(_))
            }
        }
    }
}

impl Outgoing {
    /// Waits for the next; `None` once every outlet is gone.
    async fn next(&mut self) -> Option<Item> {
        tokio::select! {
            Some(outcomes) = self.outcomes.recv() => Some(Item::Outcomes(outcomes)),
            Some(event) = self.events.recv() => Some(Item::Event(event)),
            Some((frame, turn)) = self.frames.recv() => Some(Item::Frame(frame, turn)),
            else => None,
        }
    }

    /// The next, where there is one already.
    fn ready(&mut self) -> Option<Item> {
        let outcomes = self.outcomes.try_recv().ok().map(Item::Outcomes);
        let event = || self.events.try_recv().ok().map(Item::Event);
        let found = outcomes.or_else(event);
        found.or_else(|| {
            let framed = self.frames.try_recv().ok();
            framed.map(|(frame, turn)| Item::Frame(frame, turn))
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use standpipe_core::{driver::TopicInfo, frontend::AnswerTurns, session::AdminReply};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_list_that_is_not_read_keeps_its_turn_and_ends_the_connection() {
        let turns = AnswerTurns::default();
        let (_client, server) = tokio::io::duplex(64);
        let (outlets, outgoing) = outlets();
        let writing = tokio::spawn(write(server, outgoing));
        let topic = TopicInfo {
            name: "t".repeat(1000),
            ..TopicInfo::default()
        };
        let reply = Ok(AdminReply::Topics(vec![topic]));
        let turn = turns.turn().await.unwrap();
        let list = (ServerFrame::Admin { id: 1, reply }, Some(turn));
        outlets.frames.send(list).await.unwrap();
        tokio::task::yield_now().await;
        assert!(turns.turn().now_or_never().is_none());
        let ended = writing.await.unwrap().unwrap_err();
        assert!(ended.message().contains("60 s"), "{ended}");
        turns.turn().await.unwrap();
    }
}
