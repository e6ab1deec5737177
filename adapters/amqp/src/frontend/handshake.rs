//! From the protocol header to `connection.open-ok` (specification 2.2.4).

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use standpipe_core::message::{Text, Value};
use tokio::sync::watch;

use super::{
    output::Output,
    refusal::{Handled, Refusal},
    source::Source,
};
use crate::codec::{
    frame::{Frame, FrameKind, PROTOCOL_HEADER},
    method::{Method, MethodError, decode_method},
    table::{Table, table_inside},
};

/// Largest frame until another is agreed on; RabbitMQ's own, and enough for any `start-ok`.
pub(super) const FRAME_MAX_BEFORE: usize = 8192;

/// The capability of a client that can be told that its login was refused.
const FAILURE_CLOSE: &str = "authentication_failure_close";

const CHANNEL_MAX: u16 = 2047;
const FRAME_MAX: u32 = 131_072;
const FRAME_MIN: u32 = 4096;
const HEARTBEAT: u16 = 60;

/// What client and broker agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) channel_max: u16,
    pub(super) frame_max: usize,
    pub(super) heartbeat: Option<Duration>,
    /// Whether the client understands `basic.cancel` from us.
    pub(super) cancel_notify: bool,
    /// Whether the client understands `connection.blocked`.
    pub(super) blocked: bool,
}

/// How a handshake ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Open(Agreed),
    /// The client is gone, or spoke another protocol and was told ours.
    Gone(&'static str),
    /// Refused, with what the client is to be told in `connection.close`.
    Refused(Refusal),
}

/// One handshake.
pub(super) struct Handshake<'a> {
    pub(super) source: &'a mut Source,
    pub(super) output: &'a Arc<Output>,
    pub(super) heartbeat: &'a watch::Sender<Option<Duration>>,
}

enum Step {
    Method(Method),
    Gone,
}

impl Handshake<'_> {
    /// Runs it to its end. The caller sets the deadline.
    ///
    /// # Errors
    /// As the socket's.
    pub(super) async fn run(mut self) -> io::Result<Outcome> {
        let Some(header) = self.source.octets(PROTOCOL_HEADER.len()).await? else {
            return Ok(Outcome::Gone("the client left before the protocol header"));
        };
        if header[..] != PROTOCOL_HEADER {
            self.output
                .write(|waiting| waiting.octets(&PROTOCOL_HEADER));
            return Ok(Outcome::Gone(
                "another protocol, or version, than AMQP 0-9-1",
            ));
        }
        self.output.method(0, &start());
        let ended = match self.authenticate().await? {
            Ok(Some(client)) => self.tune_and_open(&client).await?,
            Ok(None) => Ok(None),
            Err(refusal) => Err(refusal),
        };
        Ok(match ended {
            Ok(Some(agreed)) => Outcome::Open(agreed),
            Ok(None) => Outcome::Gone("the client left before connection.open"),
            Err(refusal) => Outcome::Refused(refusal),
        })
    }

    /// The client's properties; `None` where it is gone.
    async fn authenticate(&mut self) -> io::Result<Handled<Option<Table>>> {
        let (properties, mechanism, response) = match self.method().await? {
            Ok(Step::Gone) => return Ok(Ok(None)),
            Ok(Step::Method(Method::ConnectionStartOk {
                properties,
                mechanism,
                response,
                ..
            })) => (properties, mechanism, response),
            Ok(Step::Method(_)) => return Ok(Err(unexpected("starting"))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let checked = check_login(&mechanism, response).map_err(|refusal| {
            let told = refusal.code == 403 && is_capable(&properties, FAILURE_CLOSE);
            if told { refusal } else { refusal.untold() }
        });
        Ok(checked.map(|()| Some(properties)))
    }

    async fn tune_and_open(&mut self, client: &Table) -> io::Result<Handled<Option<Agreed>>> {
        self.output.method(
            0,
            &Method::ConnectionTune {
                channel_max: CHANNEL_MAX,
                frame_max: FRAME_MAX,
                heartbeat: HEARTBEAT,
            },
        );
        let agreed = match self.method().await? {
            Ok(Step::Gone) => return Ok(Ok(None)),
            Ok(Step::Method(Method::ConnectionTuneOk {
                channel_max,
                frame_max,
                heartbeat,
            })) => match agree(channel_max, frame_max, heartbeat, client) {
                Ok(agreed) => agreed,
                Err(refusal) => return Ok(Err(refusal)),
            },
            Ok(Step::Method(_)) => return Ok(Err(unexpected("tuning"))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.source.frame_max = agreed.frame_max;
        self.heartbeat.send_replace(agreed.heartbeat);
        let vhost = match self.method().await? {
            Ok(Step::Gone) => return Ok(Ok(None)),
            Ok(Step::Method(Method::ConnectionOpen { vhost, .. })) => vhost,
            Ok(Step::Method(_)) => return Ok(Err(unexpected("opening"))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        if vhost != "/" {
            return Ok(Err(Refusal::not_allowed(format!(
                "vhost {vhost} not found"
            ))));
        }
        let known_hosts = Text::default();
        self.output
            .method(0, &Method::ConnectionOpenOk { known_hosts });
        Ok(Ok(Some(agreed)))
    }

    async fn method(&mut self) -> io::Result<Handled<Step>> {
        loop {
            let frame = match self.source.frame().await? {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(Ok(Step::Gone)),
                Err(refusal) => return Ok(Err(refusal)),
            };
            if frame.kind != FrameKind::Heartbeat {
                return Ok(method_of(frame).map(Step::Method));
            }
        }
    }
}

fn method_of(frame: Frame) -> Handled<Method> {
    if frame.kind != FrameKind::Method || frame.channel != 0 {
        return Err(Refusal::unexpected_frame("expected a method on channel 0"));
    }
    decode_method(frame.payload).map_err(refuse_method)
}

/// The refusal of a method frame that does not decode.
pub(super) fn refuse_method(error: MethodError) -> Refusal {
    match error {
        MethodError::Short => Refusal::frame_error("cannot decode a method frame without a method"),
        MethodError::Unknown(class, method) => {
            Refusal::command_invalid(format!("unknown method {class}.{method}"))
        }
        MethodError::Malformed(class, method, why) => {
            Refusal::frame_error(format!("cannot decode method {class}.{method}: {why}"))
        }
    }
}

fn unexpected(state: &str) -> Refusal {
    Refusal::channel_error(format!("unexpected method in connection state {state}"))
}

/// Whether the client is `guest`. AMQPLAIN is RabbitMQ's second mechanism, what 0-8 called PLAIN.
/// Codes and texts are those of RabbitMQ's log; of them it tells a client 403 only.
fn check_login(mechanism: &Text, response: Bytes) -> Handled {
    let login = if *mechanism == "PLAIN" {
        plain(&response)
    } else if *mechanism == "AMQPLAIN" {
        amqplain(response)
    } else {
        return Err(Refusal::command_invalid(format!(
            "unknown authentication mechanism '{mechanism}'; known: PLAIN, AMQPLAIN"
        )));
    };
    match login {
        Some(login) if login == Login::guest() => Ok(()),
        Some(_) => Err(Refusal::login_refused(format!(
            "Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
        ))),
        None => Err(Refusal::syntax_error(format!(
            "the response to authentication mechanism {mechanism} does not decode"
        ))),
    }
}

#[derive(Debug, PartialEq)]
struct Login {
    user: Value,
    password: Value,
}

impl Login {
    fn guest() -> Self {
        let guest = || Value::from("guest");
        Self {
            user: guest(),
            password: guest(),
        }
    }
}

/// RFC 4616, without an identity to act as.
fn plain(response: &Bytes) -> Option<Login> {
    let parts: Vec<_> = response.split(|octet| *octet == 0).collect();
    let [[], user, password] = parts[..] else {
        return None;
    };
    let value = |octets: &[u8]| Value::from(Text::from(response.slice_ref(octets)));
    Some(Login {
        user: value(user),
        password: value(password),
    })
}

/// The response is a table's inside: its length is that of the long string around it.
fn amqplain(response: Bytes) -> Option<Login> {
    let table = table_inside(response).ok()?;
    let find = |name: &str| {
        let found = table.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.clone())
    };
    Some(Login {
        user: find("LOGIN")?,
        password: find("PASSWORD")?,
    })
}

fn is_capable(client: &Table, capability: &str) -> bool {
    let find = |table: &Table, name: &str| {
        let found = table.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.clone())
    };
    match find(client, "capabilities") {
        Some(Value::Table(all)) => find(&all, capability) == Some(Value::Bool(true)),
        _ => false,
    }
}

fn agree(channel_max: u16, frame_max: u32, heartbeat: u16, client: &Table) -> Handled<Agreed> {
    let too_high = |what: &str, asked: u32, ours: u32| {
        Refusal::not_allowed(format!(
            "negotiated {what} = {asked} is higher than the maximum allowed value ({ours})"
        ))
    };
    if channel_max > CHANNEL_MAX {
        return Err(too_high(
            "channel_max",
            channel_max.into(),
            CHANNEL_MAX.into(),
        ));
    }
    if frame_max > FRAME_MAX {
        return Err(too_high("frame_max", frame_max, FRAME_MAX));
    }
    if frame_max != 0 && frame_max < FRAME_MIN {
        return Err(Refusal::not_allowed(format!(
            "negotiated frame_max = {frame_max} is lower than the minimum allowed value ({FRAME_MIN})"
        )));
    }
    let unless_zero = |asked: u32, ours: u32| if asked == 0 { ours } else { asked };
    Ok(Agreed {
        channel_max: if channel_max == 0 {
            CHANNEL_MAX
        } else {
            channel_max
        },
        frame_max: unless_zero(frame_max, FRAME_MAX) as usize,
        heartbeat: (heartbeat > 0).then(|| Duration::from_secs(heartbeat.into())),
        cancel_notify: is_capable(client, "consumer_cancel_notify"),
        blocked: is_capable(client, "connection.blocked"),
    })
}

fn start() -> Method {
    let text = |name: &str, value: &str| (Text::from(name), Value::from(value));
    let capabilities = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "per_consumer_qos",
        "direct_reply_to",
        FAILURE_CLOSE,
    ];
    let capabilities = capabilities.map(|name| (Text::from(name), Value::Bool(true)));
    Method::ConnectionStart {
        major: 0,
        minor: 9,
        properties: vec![
            (
                Text::from("capabilities"),
                Value::Table(capabilities.to_vec()),
            ),
            text("product", "Standpipe"),
            text("version", env!("CARGO_PKG_VERSION")),
            text("platform", "Rust"),
            text("information", "AMQP 0-9-1 as RabbitMQ speaks it"),
        ],
        mechanisms: Bytes::from_static(b"PLAIN AMQPLAIN"),
        locales: Bytes::from_static(b"en_US"),
    }
}
