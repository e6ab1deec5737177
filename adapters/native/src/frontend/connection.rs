//! One connection: the handshake, and frames to and from the sessions.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use standpipe_core::{
    Error, ErrorKind, Result,
    broker::Broker,
    frontend::AnswerTurns,
    keep_alive::keep_alive,
    session::{
        self, AdminRequest, Open, OpenMode, PublishRequest, REQUEST_DEPTH, Request, serve_admin,
    },
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};
use tokio_util::{codec::FramedRead, sync::CancellationToken};

use super::{
    describe::{describe, is_large},
    writer::{Outlets, outlets, write},
};
use crate::codec::{ClientFrame, Framing, ServerFrame, VERSION};

/// From accept to hello.
const HELLO_DEADLINE: Duration = Duration::from_secs(10);
/// Octets of a hello, with room for what a later version adds.
const HELLO_LIMIT: usize = 256;
/// For a last frame to a client that may not read.
const FAREWELL: Duration = Duration::from_secs(5);

type Frames = FramedRead<OwnedReadHalf, Framing>;

/// What a connection has around it.
pub(super) struct Around {
    pub(super) broker: Broker,
    /// Its turns at large answers.
    pub(super) turns: AnswerTurns,
    pub(super) shutdown: CancellationToken,
}

/// Serves one connection until it ends, fails, or `shutdown`.
pub(super) async fn serve(stream: TcpStream, around: Around) -> Result<()> {
    let Around {
        broker,
        turns,
        shutdown,
    } = around;
    stream.set_nodelay(true).map_err(|error| broken(&error))?;
    keep_alive(&stream).map_err(|error| broken(&error))?;
    let (reader, mut sender) = stream.into_split();
    let mut frames = FramedRead::new(reader, Framing::bounded(HELLO_LIMIT));
    let hello = tokio::time::timeout(HELLO_DEADLINE, greet(&mut frames, &mut sender, &broker));
    let greeted = tokio::select! {
        greeted = hello => greeted.unwrap_or_else(|_| Err(no_hello())),
        () = shutdown.cancelled() => Err(closing()),
    };
    if let Err(error) = greeted {
        let (outlets, outgoing) = outlets();
        farewell(outlets, error.clone(), write(sender, outgoing)).await;
        return Err(error);
    }
    *frames.decoder_mut() = Framing::new(broker.limits().message_bytes);
    let (outlets, outgoing) = outlets();
    let writing = write(sender, outgoing);
    tokio::pin!(writing);
    let mut connection = Connection::new(broker, turns, outlets);
    let end = tokio::select! {
        end = connection.run(&mut frames) => end,
        () = shutdown.cancelled() => Err(closing()),
        written = &mut writing => return written,
    };
    match end {
        Ok(()) => tokio::join!(connection.finish(&shutdown), writing).1,
        Err(error) => {
            let outlets = connection.into_outlets();
            farewell(outlets, error.clone(), writing).await;
            Err(error)
        }
    }
}

async fn greet(frames: &mut Frames, sender: &mut OwnedWriteHalf, broker: &Broker) -> Result<()> {
    let frame = next(frames).await?.ok_or_else(no_hello)?;
    let ClientFrame::Hello { version, .. } = ClientFrame::decode(frame)? else {
        return Err(no_hello());
    };
    if version == 0 {
        let message = format!("version 0 is asked for; 1 to {VERSION} are spoken");
        return Err(Error::new(ErrorKind::Unsupported, "greet", message));
    }
    let mut welcome = BytesMut::new();
    ServerFrame::Welcome {
        version: version.min(VERSION),
        features: 0,
        message_limit: broker.limits().message_bytes as u64,
    }
    .encode(&mut welcome);
    sender.write_all(&welcome).await.map_err(|e| broken(&e))
}

/// Says why, to a client that may or may not listen.
async fn farewell(outlets: Outlets, error: Error, writing: impl Future<Output = Result<()>>) {
    let last = async {
        outlets.frames.send(ServerFrame::Failed(error)).await;
        drop(outlets);
    };
    let _ = tokio::time::timeout(FAREWELL, async { tokio::join!(last, writing) }).await;
}

/// What a connection has going on.
struct Connection {
    broker: Broker,
    turns: AnswerTurns,
    outlets: Outlets,
    publishing: Option<mpsc::Sender<PublishRequest>>,
    consuming: Option<mpsc::Sender<Request>>,
    describing: Option<mpsc::Sender<(u64, AdminRequest)>>,
    opened: bool,
    sessions: JoinSet<Result<()>>,
    /// A positional subscription: it goes on as long as it has credit, whether or not anybody asks.
    replay: Option<AbortHandle>,
}

impl Connection {
    fn new(broker: Broker, turns: AnswerTurns, outlets: Outlets) -> Self {
        Self {
            broker,
            turns,
            outlets,
            publishing: None,
            consuming: None,
            describing: None,
            opened: false,
            sessions: JoinSet::new(),
            replay: None,
        }
    }

    /// Reads until the client has no more to say; an error ends the connection.
    async fn run(&mut self, frames: &mut Frames) -> Result<()> {
        loop {
            let frame = tokio::select! {
                frame = next(frames) => frame?,
                Some(ended) = self.sessions.join_next(), if !self.sessions.is_empty() => {
                    ended.unwrap_or_else(|error| Err(panicked(&error)))?;
                    continue;
                }
            };
            let Some(frame) = frame else { return Ok(()) };
            self.take(ClientFrame::decode(frame)?).await?;
        }
    }

    async fn take(&mut self, frame: ClientFrame) -> Result<()> {
        match frame {
            ClientFrame::Hello { .. } => Err(invalid("a second hello")),
            ClientFrame::Publish(request) => self.publish(request).await,
            ClientFrame::Open(open) => self.open(open),
            ClientFrame::Request(request) => {
                let consuming = self.consuming.as_ref();
                let consuming = consuming.ok_or_else(|| invalid("no subscription is open"))?;
                // A session that is gone says why itself.
                let _ = consuming.send(request).await;
                Ok(())
            }
            ClientFrame::Admin { id, request } => {
                self.administer(id, request).await;
                Ok(())
            }
        }
    }

    async fn publish(&mut self, request: PublishRequest) -> Result<()> {
        let publishing = self.publishing.get_or_insert_with(|| {
            let (sender, requests) = mpsc::channel(REQUEST_DEPTH);
            let (broker, outcomes) = (self.broker.clone(), self.outlets.outcomes.clone());
            self.sessions
                .spawn(async move { session::publish(&broker, requests, outcomes).await });
            sender
        });
        let _ = publishing.send(request).await;
        Ok(())
    }

    /// What waits for its turn does so beside the rest: the settlements behind it cannot wait.
    async fn administer(&mut self, id: u64, request: AdminRequest) {
        if !is_large(&request) {
            let reply = serve_admin(&self.broker, request).await;
            return self
                .outlets
                .frames
                .send(ServerFrame::Admin { id, reply })
                .await;
        }
        let describing = self.describing.get_or_insert_with(|| {
            let (sender, requests) = mpsc::channel(REQUEST_DEPTH);
            let (broker, turns) = (self.broker.clone(), self.turns.clone());
            let describing = describe(broker, turns, requests, self.outlets.frames.clone());
            self.sessions.spawn(async move {
                describing.await;
                Ok(())
            });
            sender
        });
        let _ = describing.send((id, request)).await;
    }

    fn open(&mut self, open: Open) -> Result<()> {
        if self.opened {
            return Err(invalid(
                "one connection has one subscription; open another connection",
            ));
        }
        self.opened = true;
        let (sender, requests) = mpsc::channel(REQUEST_DEPTH);
        let (broker, events) = (self.broker.clone(), self.outlets.events.clone());
        let is_replay = open.mode == OpenMode::Positional;
        let subscription = async move { session::subscribe(&broker, open, requests, events).await };
        let subscription = self.sessions.spawn(subscription);
        self.replay = is_replay.then_some(subscription);
        self.consuming = Some(sender);
        Ok(())
    }

    /// The client has no more to say: what it asked is answered, then the connection ends. One that
    /// still reads a replay has some time for that; nothing tells it from one that is gone.
    async fn finish(mut self, shutdown: &CancellationToken) {
        self.publishing = None;
        self.consuming = None;
        self.describing = None;
        let ended = async { while self.sessions.join_next().await.is_some() {} };
        tokio::select! {
            () = ended => return,
            () = tokio::time::sleep(FAREWELL) => {}
            () = shutdown.cancelled() => {}
        }
        self.replay.into_iter().for_each(|replay| replay.abort());
        while self.sessions.join_next().await.is_some() {}
    }

    /// Ends the sessions at once.
    fn into_outlets(self) -> Outlets {
        self.outlets
    }
}

async fn next(frames: &mut Frames) -> Result<Option<Bytes>> {
    frames
        .next()
        .await
        .transpose()
        .map_err(|error| broken(&error))
}

fn broken(error: &io::Error) -> Error {
    let refused = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    if let Some(refused) = refused {
        return refused.clone();
    }
    Error::new(
        ErrorKind::Disconnected,
        "read native connection",
        error.to_string(),
    )
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "read native connection", message)
}

fn no_hello() -> Error {
    let message = format!(
        "no hello within {} s; it must come first",
        HELLO_DEADLINE.as_secs()
    );
    Error::new(ErrorKind::Invalid, "greet", message)
}

fn closing() -> Error {
    let message = "the broker is shutting down; connect again later";
    Error::new(ErrorKind::Closed, "serve native connection", message)
}

fn panicked(error: &tokio::task::JoinError) -> Error {
    Error::new(
        ErrorKind::Unknown,
        "serve native connection",
        error.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use standpipe_core::{
        broker::Options,
        codec::Codecs,
        message::Message,
        session::{Destination, Publication},
        store::MemoryStore,
    };
    use tokio::net::TcpListener;

    use super::*;
    use crate::codec::DEFAULT_MESSAGE_LIMIT;

    type Client = FramedRead<TcpStream, Framing>;

    /// A client of a broker that takes its turns from `turns`.
    async fn client(turns: &AnswerTurns) -> Client {
        let store = Arc::new(MemoryStore::new());
        let broker = Broker::open(store, Codecs::default(), Options::default());
        let around = Around {
            broker: broker.await.unwrap(),
            turns: turns.of_connection(),
            shutdown: CancellationToken::new(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        tokio::spawn(serve(accepted.unwrap().0, around));
        FramedRead::new(client.unwrap(), Framing::new(DEFAULT_MESSAGE_LIMIT))
    }

    async fn send(client: &mut Client, frames: &[ClientFrame]) {
        let mut out = BytesMut::new();
        frames.iter().for_each(|frame| frame.encode(&mut out));
        client.get_mut().write_all(&out).await.unwrap();
    }

    async fn receive(client: &mut Client) -> ServerFrame {
        ServerFrame::decode(client.next().await.unwrap().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn what_comes_behind_a_list_that_waits_for_its_turn_is_answered() {
        let turns = AnswerTurns::default();
        let mut others = Vec::new();
        for _ in 0..4 {
            others.push(turns.of_connection().turn().await.unwrap());
        }
        let mut client = client(&turns).await;
        let hello = ClientFrame::Hello {
            version: VERSION,
            features: 0,
        };
        let list = ClientFrame::Admin {
            id: 7,
            request: AdminRequest::List,
        };
        let publish = ClientFrame::Publish(PublishRequest {
            destination: Some(Destination::Topic("t".to_owned())),
            durability: None,
            messages: vec![Publication {
                sequence: 1,
                message: Message::new("x"),
            }],
        });
        send(&mut client, &[hello, list, publish]).await;
        let welcome = receive(&mut client).await;
        assert!(matches!(welcome, ServerFrame::Welcome { .. }));
        let outcomes = receive(&mut client).await;
        assert!(matches!(outcomes, ServerFrame::Outcomes(_)));
        others.pop();
        let listed = receive(&mut client).await;
        assert!(matches!(
            listed,
            ServerFrame::Admin {
                id: 7,
                reply: Ok(_)
            }
        ));
    }
}
