//! Connections.

use std::{sync::Once, time::Duration};

use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueDeclareOptions},
    types::{FieldTable, ShortString},
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};
use standpipe_core::{
    Error, ErrorKind, Result,
    address::{Address, Host},
};

use super::{failure::failure, socket, target::Target};

const PORT: u16 = 5672;
/// How long a broker may take to answer when something is opened. lapin has a deadline for blocking
/// connects only, and its heartbeats begin once it is connected.
const ANSWER: Duration = Duration::from_secs(10);
const HEARTBEAT_SECONDS: u16 = 20;

/// Connects to the first of the address's hosts that answers.
///
/// # Errors
/// `Denied` where the login or the virtual host is refused, `Disconnected` where nobody answers
/// within 10 s.
pub(super) async fn connect(address: &Address) -> Result<Connection> {
    static TLS: Once = Once::new();
    // Fails only where the program has chosen its provider already, which is as good.
    TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let local = [Host {
        name: "127.0.0.1".to_owned(),
        port: None,
    }];
    let hosts = if address.hosts().is_empty() {
        &local
    } else {
        address.hosts()
    };
    let mut last = None;
    for host in hosts {
        let connecting = socket::connect(uri(address, host)?);
        let connecting = async { connecting.await.map_err(|error| failure("connect", error)) };
        match in_time("connect", connecting).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = Some(refused(address, host, error)),
        }
    }
    Err(last.unwrap_or_else(|| address.invalid("no host")))
}

/// Gives `opening` a deadline of 10 s: a broker may accept a connection and stay silent.
///
/// # Errors
/// `Disconnected` where it takes longer, else its own.
pub(super) async fn in_time<T>(
    operation: &'static str,
    opening: impl Future<Output = Result<T>>,
) -> Result<T> {
    let opened = tokio::time::timeout(ANSWER, opening).await;
    opened.unwrap_or_else(|_| {
        let message = format!("no answer within {ANSWER:?}");
        Err(Error::new(ErrorKind::Disconnected, operation, message))
    })
}

/// Opens a channel and looks whether the destination is there.
///
/// # Errors
/// `NotFound` where the queue or exchange is not there.
pub(super) async fn look(connection: &Connection, target: &Target) -> Result<Channel> {
    let channel = channel(connection).await?;
    match target {
        Target::Queue(queue) => drop(ready(&channel, queue).await?),
        Target::Exchange { name, .. } if name.as_str().is_empty() => {}
        Target::Exchange { name, .. } => {
            let passive = ExchangeDeclareOptions {
                passive: true,
                ..Default::default()
            };
            let none = FieldTable::default();
            let kind = ExchangeKind::Direct;
            let declared = channel
                .exchange_declare(name.clone(), kind, passive, none)
                .await;
            declared.map_err(|error| failure("look for the exchange", error))?;
        }
    }
    Ok(channel)
}

/// The messages of a queue that wait for a consumer.
///
/// # Errors
/// `NotFound` where there is no such queue; the channel is gone then.
pub(super) async fn ready(channel: &Channel, queue: &ShortString) -> Result<u32> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let declared = channel
        .queue_declare(queue.clone(), passive, FieldTable::default())
        .await;
    let declared = declared.map_err(|error| failure("look for the queue", error))?;
    Ok(declared.message_count())
}

pub(super) async fn channel(connection: &Connection) -> Result<Channel> {
    let channel = connection.create_channel().await;
    channel.map_err(|error| failure("open a channel", error))
}

/// Closes the connection; the broker answers after it has dealt with all that was sent before.
pub(super) async fn close(connection: &Connection) -> Result<()> {
    if !connection.status().connected() {
        return Ok(());
    }
    let closed = connection.close(200, "bye".into()).await;
    closed.map_err(|error| failure("close", error))
}

fn uri(address: &Address, host: &Host) -> Result<AMQPUri> {
    let vhost = address.path().filter(|path| !path.is_empty());
    Ok(AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: address.user().unwrap_or("guest").to_owned(),
                password: address.password()?.unwrap_or_else(|| "guest".to_owned()),
            },
            host: host.name.clone(),
            port: host.port.unwrap_or(PORT),
        },
        vhost: vhost.unwrap_or("/").to_owned(),
        query: AMQPQueryString {
            heartbeat: Some(HEARTBEAT_SECONDS),
            ..Default::default()
        },
    })
}

fn refused(address: &Address, host: &Host, error: Error) -> Error {
    let message = match error.kind() {
        ErrorKind::Disconnected => format!("{} does not answer ({address})", host.with_port(PORT)),
        _ => format!("{address}: {}", error.message()),
    };
    Error::new(error.kind(), "connect", message).with_source(error)
}
