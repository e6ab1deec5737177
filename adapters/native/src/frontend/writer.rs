//! What goes out on a connection, from all that it has going on.

use bytes::BytesMut;
use standpipe_core::{
    Error, ErrorKind, Result,
    session::{CHANNEL_DEPTH, EVENT_DEPTH, Event, Outcome},
};
use tokio::{io::AsyncWriteExt as _, net::tcp::OwnedWriteHalf, sync::mpsc};

use crate::codec::ServerFrame;

/// Octets that are put together before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// Outcomes of one frame.
const FRAME_OUTCOMES: usize = 4096;

/// Where sessions put what goes out.
pub(super) struct Outlets {
    pub(super) outcomes: mpsc::Sender<Vec<Outcome>>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) frames: mpsc::Sender<ServerFrame>,
}

/// Where the writer takes it from.
pub(super) struct Outgoing {
    outcomes: mpsc::Receiver<Vec<Outcome>>,
    events: mpsc::Receiver<Event>,
    frames: mpsc::Receiver<ServerFrame>,
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
pub(super) async fn write(mut sender: OwnedWriteHalf, mut outgoing: Outgoing) -> Result<()> {
    let mut out = BytesMut::new();
    let mut failed = false;
    while !failed {
        let Some(item) = outgoing.next().await else {
            break;
        };
        failed = item.encode(&mut out);
        while !failed
            && out.len() < WRITE_BYTES
            && let Some(item) = outgoing.ready()
        {
            failed = item.encode(&mut out);
        }
        sender.write_all(&out).await.map_err(|error| {
            Error::new(
                ErrorKind::Disconnected,
                "write native connection",
                error.to_string(),
            )
        })?;
        out.clear();
        if out.capacity() > 2 * WRITE_BYTES {
            out = BytesMut::new();
        }
    }
    let _ = sender.shutdown().await;
    Ok(())
}

enum Item {
    Outcomes(Vec<Outcome>),
    Event(Event),
    Frame(ServerFrame),
}

impl Item {
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
            Self::Frame(frame) => {
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
            Some(frame) = self.frames.recv() => Some(Item::Frame(frame)),
            else => None,
        }
    }

    /// The next, where there is one already.
    fn ready(&mut self) -> Option<Item> {
        let outcomes = self.outcomes.try_recv().ok().map(Item::Outcomes);
        let event = || self.events.try_recv().ok().map(Item::Event);
        let found = outcomes.or_else(event);
        found.or_else(|| self.frames.try_recv().ok().map(Item::Frame))
    }
}
