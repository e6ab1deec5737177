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
};
use tokio_util::sync::CancellationToken;

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
    pub(super) frames: FrameOutlet,
}

/// Where single frames are put.
#[derive(Clone)]
pub(super) struct FrameOutlet {
    frames: mpsc::Sender<Framed>,
    late: CancellationToken,
}

impl FrameOutlet {
    /// Nobody takes it where the connection has ended.
    pub(super) async fn send(&self, frame: ServerFrame) {
        let _ = self.frames.send((frame, None)).await;
    }

    /// The same for a frame that may be large. It must be read in time, and all that goes out before
    /// it: others wait for their turns.
    pub(super) async fn send_in_turn(&self, frame: ServerFrame, turn: AnswerTurn) {
        let late = self.late.clone();
        let turn = turn.watched(move || late.cancel());
        let _ = self.frames.send((frame, Some(turn))).await;
    }
}

/// Where the writer takes it from.
pub(super) struct Outgoing {
    outcomes: mpsc::Receiver<Vec<Outcome>>,
    events: mpsc::Receiver<Event>,
    frames: mpsc::Receiver<Framed>,
    /// Cancelled once a frame has kept its turn for too long.
    late: CancellationToken,
}

pub(super) fn outlets() -> (Outlets, Outgoing) {
    let (outcomes, outcomes_out) = mpsc::channel(CHANNEL_DEPTH);
    let (events, events_out) = mpsc::channel(EVENT_DEPTH);
    let (frames, frames_out) = mpsc::channel(CHANNEL_DEPTH);
    let late = CancellationToken::new();
    let outlets = Outlets {
        outcomes,
        events,
        frames: FrameOutlet {
            frames,
            late: late.clone(),
        },
    };
    let outgoing = Outgoing {
        outcomes: outcomes_out,
        events: events_out,
        frames: frames_out,
        late,
    };
    (outlets, outgoing)
}

/// Writes until every outlet is gone, or a failure was written, which is always the last.
pub(super) async fn write(sender: impl AsyncWrite + Unpin, outgoing: Outgoing) -> Result<()> {
    let late = outgoing.late.clone();
    tokio::select! {
        written = write_all(sender, outgoing) => written,
        () = late.cancelled() => {
            let seconds = ANSWER_TIME.as_secs();
            Err(disconnected(format!("a large answer was not read within {seconds} s")))
        }
    }
}

async fn write_all(mut sender: impl AsyncWrite + Unpin, mut outgoing: Outgoing) -> Result<()> {
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
        let written = sender.write_all(&out).await;
        written.map_err(|error| disconnected(error.to_string()))?;
        drop(turns);
        out.clear();
        if out.capacity() > 2 * WRITE_BYTES {
            out = BytesMut::new();
        }
    }
    let _ = sender.shutdown().await;
    Ok(())
}

fn disconnected(why: String) -> Error {
    Error::new(ErrorKind::Disconnected, "write native connection", why)
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

    fn list() -> ServerFrame {
        let topic = TopicInfo {
            name: "t".repeat(1000),
            ..TopicInfo::default()
        };
        let reply = Ok(AdminReply::Topics(vec![topic]));
        ServerFrame::Admin { id: 1, reply }
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_is_not_read_keeps_its_turn_and_ends_the_connection() {
        let turns = AnswerTurns::default();
        let (_client, server) = tokio::io::duplex(64);
        let (outlets, outgoing) = outlets();
        let writing = tokio::spawn(write(server, outgoing));
        let turn = turns.turn().await.unwrap();
        outlets.frames.send_in_turn(list(), turn).await;
        tokio::task::yield_now().await;
        assert!(turns.turn().now_or_never().is_none());
        let ended = writing.await.unwrap().unwrap_err();
        assert!(ended.message().contains("60 s"), "{ended}");
        turns.turn().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_behind_what_is_not_read_ends_the_connection_too() {
        let turns = AnswerTurns::default();
        let (_client, server) = tokio::io::duplex(64);
        let (outlets, outgoing) = outlets();
        let writing = tokio::spawn(write(server, outgoing));
        let outcome = Outcome {
            sequence: 1,
            result: Err(disconnected("x".repeat(1000))),
        };
        outlets.outcomes.send(vec![outcome]).await.unwrap();
        // The writer has taken it once there is room for as many again.
        let full = outlets.outcomes.reserve_many(CHANNEL_DEPTH).await;
        drop(full.unwrap());
        let turn = turns.turn().await.unwrap();
        outlets.frames.send_in_turn(list(), turn).await;
        let ended = writing.await.unwrap().unwrap_err();
        assert!(ended.message().contains("60 s"), "{ended}");
        turns.turn().await.unwrap();
    }
}
