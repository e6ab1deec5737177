//! Reading from a client: only while it reads what it is answered, and until its silence says that it
//! is gone.

use std::{collections::HashMap, future::poll_fn, io, mem, task::Poll};

use tokio::time::timeout;

use super::Connection;
use crate::frontend::{output::Output, parked::Parked, slot::Slot, source::Source};

/// Heartbeat intervals without an octet after which a client counts as gone (specification 4.2.7).
const MISSED: u32 = 2;

/// Whether a client is heard: where it is not, its heartbeats lie on the socket.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    now: Heard,
    /// What was seen of the client when it was not heard for too long.
    last: Signs,
}

#[derive(Debug, Default, Clone, Copy)]
enum Heard {
    /// It is read from.
    #[default]
    Yes,
    /// First it must read what it is answered.
    AfterAnswers,
    /// First what it published must be on disk.
    AfterDisk,
}

/// Signs of life of a client that is not heard.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Signs {
    /// Octets that it took, as far as the system shows it: in large pieces.
    taken: u64,
    /// Octets that it sent, its heartbeats among them.
    unread: usize,
}

impl Hearing {
    /// Whether a client that was silent for too long may still live.
    fn excuses_silence(&mut self, output: &Output, source: &mut Source) -> bool {
        match self.now {
            Heard::Yes => false,
            Heard::AfterDisk => true,
            Heard::AfterAnswers => {
                let signs = Signs {
                    taken: output.taken(),
                    unread: source.unread(),
                };
                mem::replace(&mut self.last, signs) != signs
            }
        }
    }
}

impl Connection {
    /// Reads what is there, in time; returns without that when a parked channel may go on.
    /// Cancel-safe.
    ///
    /// # Errors
    /// As the socket's, and where the client is silent for too long. A client that is not heard counts
    /// as silent once a whole such time goes by in which it neither takes nor sends anything.
    pub(super) async fn read(&mut self) -> io::Result<bool> {
        let Some(interval) = self.agreed.heartbeat else {
            return self.listen().await;
        };
        loop {
            match timeout(interval * MISSED, self.listen()).await {
                Ok(read) => return read,
                Err(_) if self.blocked.excuses_silence() => {}
                Err(_) => {
                    let (output, source) = (&self.output, &mut self.source);
                    if !self.hearing.excuses_silence(output, source) {
                        return Err(io::Error::other("missed heartbeats from client"));
                    }
                }
            }
        }
    }

    /// The same, however long it takes.
    async fn listen(&mut self) -> io::Result<bool> {
        self.hearing.now = Heard::AfterAnswers;
        self.output.room_for_replies().await;
        let has_room = self.parked.has_room();
        self.hearing.now = if has_room {
            Heard::Yes
        } else {
            Heard::AfterDisk
        };
        tokio::select! {
            () = any_published(&self.parked, &mut self.channels) => Ok(true),
            more = self.source.fill(), if has_room => more,
        }
    }
}

/// Waits until a parked channel may go on; for ever where none is parked. Cancel-safe.
async fn any_published(parked: &Parked, channels: &mut HashMap<u16, Slot>) {
    poll_fn(|context| {
        let mut waiting = parked.channels();
        let goes_on = waiting.any(|id| {
            let slot = channels.get_mut(&id);
            slot.is_none_or(|slot| slot.poll_published(context).is_ready())
        });
        if goes_on {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
