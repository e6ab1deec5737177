//! What `standpipe://` and `grpc://` addresses say.

use super::super::{Destination, Open, OpenMode};
use crate::{
    address::Address,
    driver::{
        Capabilities, Confirming, Draining, OpenOptions, Ordering, Redelivery, Seeking, Settling,
        Until,
    },
    error::Result,
    store::Durability,
};

/// The options of both schemes: `group`, `mode` and `from` of sources; `exchange`, `key` and
/// `durability` of destinations.
pub const ADDRESS_OPTIONS: &[&str] = &["durability", "exchange", "from", "group", "key", "mode"];

/// How to open what an address names, without credit.
///
/// # Errors
/// `Invalid` where the address names no topic, or an option does not read.
pub fn open_of(address: &Address, options: &OpenOptions) -> Result<Open> {
    for name in ["exchange", "key", "durability"] {
        if address.option(name).is_some() {
            let problem = format!("the option {name} is for destinations, not for sources");
            return Err(address.invalid(problem));
        }
    }
    let mode = mode_of(address)?;
    let group = address.option("group").filter(|group| !group.is_empty());
    let default = options.default_group.as_deref();
    let default = default.filter(|_| mode == OpenMode::Positional);
    let mut open = Open::new(address.topic()?);
    open.mode = mode;
    open.group = group.or(default).map(str::to_owned);
    open.from = address.parsed("from")?.unwrap_or_default();
    open.drain = options.until == Until::End;
    Ok(open)
}

/// Where an address publishes to, and how durably.
///
/// # Errors
/// `Invalid` where it names neither a topic nor an exchange, or both.
pub fn destination_of(address: &Address) -> Result<(Destination, Option<Durability>)> {
    for name in ["group", "mode", "from"] {
        if address.option(name).is_some() {
            let problem = format!("the option {name} is for sources, not for destinations");
            return Err(address.invalid(problem));
        }
    }
    let known = ["memory", "os", "disk"];
    let durability = address.word("durability", &known)?.map(|word| match word {
        "memory" => Durability::Memory,
        "os" => Durability::Os,
        _ => Durability::Disk,
    });
    let path = address.path().filter(|path| !path.is_empty());
    let destination = match (path, address.option("exchange")) {
        (None, Some(exchange)) => Destination::Exchange {
            exchange: exchange.to_owned(),
            key: address.option("key").unwrap_or_default().to_owned(),
        },
        (Some(_), None) if address.option("key").is_some() => {
            return Err(address.invalid("the option key needs exchange=E instead of a topic"));
        }
        (Some(_), Some(_)) => {
            return Err(address.invalid("a topic and an exchange; a destination is one of them"));
        }
        (_, None) => Destination::Topic(address.topic()?.to_owned()),
    };
    Ok((destination, durability))
}

/// What both schemes can do at an address.
pub fn capabilities_of(address: &Address) -> Capabilities {
    let positional = matches!(mode_of(address), Ok(OpenMode::Positional));
    let mut capabilities = Capabilities::NONE;
    capabilities.settling = match (positional, address.option("group")) {
        (false, _) => Settling::PerMessage,
        (true, Some(_)) => Settling::Cumulative,
        (true, None) => Settling::None,
    };
    capabilities.ordering = Ordering::Lane;
    capabilities.draining = Draining::EndOffsets;
    capabilities.confirming = Confirming::Durable;
    if matches!(address.option("durability"), Some("memory")) {
        capabilities.confirming = Confirming::Accepted;
    }
    if positional {
        capabilities.seeking = Seeking::OffsetsAndTimes;
    } else {
        capabilities.redelivery = Redelivery::Counted;
    }
    capabilities
}

fn mode_of(address: &Address) -> Result<OpenMode> {
    let word = address.word("mode", &["lease", "positional", "keyed"])?;
    Ok(match word {
        Some("positional") => OpenMode::Positional,
        Some("keyed") => OpenMode::Keyed,
        _ => OpenMode::Lease,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_says_group_mode_and_start() {
        let text = "standpipe://h:1/flights?group=g&mode=positional&from=5";
        let open = open_of(&address(text), &OpenOptions::drain()).unwrap();
        assert_eq!(
            (open.topic.as_str(), open.group.as_deref()),
            ("flights", Some("g"))
        );
        assert_eq!(open.mode, OpenMode::Positional);
        assert_eq!(open.from.to_string(), "5");
        assert!(open.drain);
    }

    #[test]
    fn a_default_group_is_for_positional_sources_only() {
        let options = OpenOptions::default().with_default_group("standpipe-r");
        let group = |text: &str| open_of(&address(text), &options).unwrap().group;
        assert_eq!(group("grpc://h:1/t"), None);
        assert_eq!(
            group("grpc://h:1/t?mode=positional").as_deref(),
            Some("standpipe-r")
        );
    }

    #[test]
    fn a_destination_is_a_topic_or_an_exchange() {
        let written = |text: &str| {
            let (destination, _) = destination_of(&address(text))?;
            Ok::<_, crate::Error>(destination.to_string())
        };
        assert_eq!(written("standpipe://h:1/t").unwrap(), "/t");
        assert_eq!(
            written("standpipe://h:1/?exchange=e&key=k").unwrap(),
            "?exchange=e&key=k"
        );
        for text in [
            "standpipe://h:1/",
            "standpipe://h:1/t?exchange=e",
            "standpipe://h:1/t?key=k",
            "standpipe://h:1/t?group=g",
        ] {
            assert!(written(text).is_err(), "{text}");
        }
    }
}
