//! The socket below a connection of lapin, which can be hung up from outside.

use std::{
    net::{Shutdown, TcpStream},
    os::fd::AsFd as _,
    sync::Arc,
};

use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties, runtime::default_runtime, tcp::AMQPUriTcpExt,
    uri::AMQPUri,
};
use parking_lot::Mutex;

/// Connects over plain TCP.
///
/// Cancel safe: dropped, it hangs up. lapin alone would leave a thread and a socket that wait for
/// the peer.
///
/// # Errors
/// What lapin says.
pub(super) async fn connect(uri: AMQPUri) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name("standpipe".into());
    let runtime = default_runtime()?;
    let attempt = Attempt::default();
    let socket = Arc::clone(&attempt.0);
    let connected = Connection::connector(
        uri,
        runtime,
        async move |uri: AMQPUri, runtime| {
            let stream = AMQPUriTcpExt::connect_async(&uri, &runtime).await?;
            if let AsyncTcpStream::Plain(plain) = &stream {
                keep(&socket, plain.get_ref())?;
            }
            Ok::<_, lapin::Error>(stream)
        },
        properties,
    )
    .await?;
    *attempt.0.lock() = Socket::None;
    Ok(connected)
}

/// A connection under way.
#[derive(Default)]
struct Attempt(Arc<Mutex<Socket>>);

#[derive(Default)]
enum Socket {
    #[default]
    None,
    Open(TcpStream),
    Abandoned,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let socket = std::mem::replace(&mut *self.0.lock(), Socket::Abandoned);
        if let Socket::Open(stream) = socket {
            // The peer may have been faster.
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

/// Keeps a second handle of the socket.
///
/// # Errors
/// `TimedOut` where nobody wants the connection any more.
fn keep(socket: &Mutex<Socket>, stream: &tokio::net::TcpStream) -> std::io::Result<()> {
    let mut socket = socket.lock();
    if matches!(*socket, Socket::Abandoned) {
        return Err(std::io::ErrorKind::TimedOut.into());
    }
    *socket = Socket::Open(stream.as_fd().try_clone_to_owned()?.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;

    #[tokio::test]
    async fn a_connect_that_is_dropped_hangs_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap();
        let uri = format!("amqp://{place}/%2f").parse().unwrap();
        let accepted = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut header = [0; 8];
            peer.read_exact(&mut header).await.unwrap();
            peer
        };
        let mut peer = tokio::select! {
            peer = accepted => peer,
            connected = connect(uri) => panic!("nobody has answered: {connected:?}"),
        };
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "{rest:?}");
    }
}
