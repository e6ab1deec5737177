//! Clients that are silent, and clients that only seem so because they are not heard.

use tokio::{io::AsyncWriteExt, time::interval};

use super::*;

const HEARTBEAT: Duration = Duration::from_secs(10);
/// Two intervals are twenty seconds: nobody is silent for so long who shows a sign this often.
const OFTEN: Duration = Duration::from_secs(15);
const LONG: Duration = Duration::from_secs(300);
/// What a client has not read when it is read from no more.
const UNREAD: usize = 9 << 20;

/// A connection whose client has not read what it is answered, and the client's socket.
async fn unread() -> (Connection, TcpStream) {
    let opened = open_beating(&Arc::default(), Some(HEARTBEAT)).await;
    opened
        .0
        .output
        .write(|waiting| waiting.octets(&vec![0; UNREAD]));
    opened
}

/// Fails unless the connection ends, as that of a client that is gone, within four intervals.
async fn ends(mut connection: Connection) {
    let read = timeout(4 * HEARTBEAT + OFTEN, connection.read()).await;
    let error = read.expect("it ends").unwrap_err();
    assert_eq!(error.to_string(), "missed heartbeats from client");
}

async fn stays(connection: &mut Connection) {
    let read = timeout(LONG, connection.read()).await;
    assert!(read.is_err(), "it ended with {read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_stays_while_it_takes_something() {
    let (mut connection, _client) = unread().await;
    let output = connection.output.clone();
    let reading = tokio::spawn(async move {
        let mut turns = interval(OFTEN);
        loop {
            turns.tick().await;
            output.written(1);
        }
    });
    stays(&mut connection).await;
    reading.abort();
    ends(connection).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_stays_while_it_sends_heartbeats() {
    let (mut connection, mut client) = unread().await;
    let beating = tokio::spawn(async move {
        let mut turns = interval(OFTEN);
        loop {
            turns.tick().await;
            client
                .write_all(&[8, 0, 0, 0, 0, 0, 0, 0xCE])
                .await
                .unwrap();
        }
    });
    stays(&mut connection).await;
    beating.abort();
    ends(connection).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_neither_reads_nor_sends_is_gone() {
    let (connection, _client) = unread().await;
    ends(connection).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_read_and_sends_nothing_is_gone() {
    let (connection, _client) = open_beating(&Arc::default(), Some(HEARTBEAT)).await;
    ends(connection).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_frames_wait_for_the_disk_stays() {
    let store = Arc::<Layered<Gate>>::default();
    let (mut connection, _client) = open_beating(&store, Some(HEARTBEAT)).await;
    connection.declare("q", true).await;
    store.hold();
    connection.publish("q", b"x".to_vec()).await;
    while connection.parked.has_room() {
        connection.parked.push(Frame {
            kind: FrameKind::Body,
            channel: 1,
            payload: vec![0; 64 << 10].into(),
        });
    }
    stays(&mut connection).await;
}
