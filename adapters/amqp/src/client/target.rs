//! What an address of this scheme means.

use lapin::types::ShortString;
use standpipe_core::{
    Error, ErrorKind, Result,
    address::Address,
    message::{Message, Text},
};

/// The options of an `amqp://` address.
pub(super) const OPTIONS: &[&str] = &["exchange", "key", "prefetch", "queue"];

/// Where messages go.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// To a queue, through the default exchange.
    Queue(ShortString),
    /// To an exchange, with one key for all messages or each one's own.
    Exchange {
        name: ShortString,
        key: Option<ShortString>,
    },
}

impl Target {
    pub(super) fn of(address: &Address) -> Result<Self> {
        let short = |text: &str| short_of(address, text);
        match (address.option("queue"), address.option("exchange")) {
            (Some(queue), None) if address.option("key").is_none() => {
                Ok(Self::Queue(short(queue)?))
            }
            (None, Some(exchange)) => Ok(Self::Exchange {
                name: short(exchange)?,
                key: address.option("key").map(short).transpose()?,
            }),
            _ => Err(address.invalid("write either ?queue=Q or ?exchange=E&key=K")),
        }
    }

    pub(super) fn exchange(&self) -> ShortString {
        match self {
            Self::Queue(_) => ShortString::default(),
            Self::Exchange { name, .. } => name.clone(),
        }
    }

    /// The routing key of one message.
    ///
    /// # Errors
    /// `Unsupported` where the message's own key is longer than 255 octets or not UTF-8.
    pub(super) fn routing_key(&self, message: &Message) -> Result<ShortString> {
        match self {
            Self::Queue(key) | Self::Exchange { key: Some(key), .. } => Ok(key.clone()),
            Self::Exchange { key: None, .. } => {
                let own = message.annotations.routing_key.clone();
                let own = own.or_else(|| message.key.clone().map(Text::from));
                own.map_or_else(|| Ok(ShortString::default()), |text| short_text(&text))
            }
        }
    }
}

/// The queue that an address reads from.
pub(super) fn source_queue(address: &Address) -> Result<ShortString> {
    match Target::of(address)? {
        Target::Queue(queue) => Ok(queue),
        Target::Exchange { .. } => Err(Error::new(
            ErrorKind::Unsupported,
            "open address",
            format!("{address}: an exchange cannot be read from; bind a queue and write ?queue=Q"),
        )),
    }
}

/// Text as lapin has it.
///
/// # Errors
/// `Unsupported` where it is longer than 255 octets or not UTF-8.
pub(super) fn short_text(text: &Text) -> Result<ShortString> {
    let refused = |why: &str| {
        let shown: String = text.lossy().chars().take(40).collect();
        Error::new(ErrorKind::Unsupported, "send", format!("`{shown}` {why}"))
    };
    let plain = text
        .as_str()
        .ok_or_else(|| refused("is not UTF-8, as AMQP names must be here"))?;
    ShortString::try_new(plain).map_err(|_| refused("is longer than AMQP's 255 octets"))
}

fn short_of(address: &Address, text: &str) -> Result<ShortString> {
    ShortString::try_new(text).map_err(|_| address.invalid("a name is longer than 255 octets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<Target> {
        Target::of(&text.parse().unwrap())
    }

    #[test]
    fn an_address_names_a_queue_or_an_exchange_and_not_both() {
        assert!(matches!(target("amqp://h/v?queue=q"), Ok(Target::Queue(_))));
        assert!(matches!(
            target("amqp://h/v?exchange=e"),
            Ok(Target::Exchange { .. })
        ));
        for wrong in [
            "amqp://h/v",
            "amqp://h/v?queue=q&exchange=e",
            "amqp://h/v?queue=q&key=k",
        ] {
            assert_eq!(
                target(wrong).unwrap_err().kind(),
                ErrorKind::Invalid,
                "{wrong}"
            );
        }
    }

    #[test]
    fn without_a_key_each_message_brings_its_own() {
        let own = target("amqp://h/v?exchange=e").unwrap();
        let mut message = Message::new("x").with_key("k");
        assert_eq!(own.routing_key(&message).unwrap().as_str(), "k");
        message.annotations.routing_key = Some("r".into());
        assert_eq!(own.routing_key(&message).unwrap().as_str(), "r");
        let fixed = target("amqp://h/v?exchange=e&key=f").unwrap();
        assert_eq!(fixed.routing_key(&message).unwrap().as_str(), "f");
        message.annotations.routing_key = Some(Text::from_bytes(vec![0xff]));
        assert_eq!(
            own.routing_key(&message).unwrap_err().kind(),
            ErrorKind::Unsupported
        );
    }
}
