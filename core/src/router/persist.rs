//! How text and arguments are written with serde: readable where they are UTF-8, exact always.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Octets {
    Text(String),
    B64(String),
}

impl Octets {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::base64(bytes),
        }
    }

    fn base64(bytes: &[u8]) -> Self {
        use base64::{Engine, engine::general_purpose::STANDARD};
        Self::B64(STANDARD.encode(bytes))
    }

    fn into_bytes(self) -> Result<Bytes, String> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        match self {
            Self::Text(text) => Ok(Bytes::from(text)),
            Self::B64(text) => {
                let decoded = STANDARD.decode(&text);
                decoded
                    .map(Bytes::from)
                    .map_err(|error| format!("`{text}`: {error}"))
            }
        }
    }
}

/// `Text`, as a string or as base64.
pub(super) mod text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::Octets;
    use crate::message::Text;

    pub(in crate::router) fn serialize<S: Serializer>(
        text: &Text,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        Octets::of(text.as_bytes()).serialize(to)
    }

    pub(in crate::router) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Text, D::Error> {
        let octets = Octets::deserialize(from)?;
        octets
            .into_bytes()
            .map(Text::from)
            .map_err(D::Error::custom)
    }
}

/// Arguments, as pairs of a name and a value in the native encoding.
pub(crate) mod arguments {
    use bytes::BytesMut;
    use serde::{Deserialize, Deserializer, Serializer, de::Error, ser::SerializeSeq};

    use super::Octets;
    use crate::{
        message::{Parts, Text},
        native::{put_value, take_value},
        router::Arguments,
        wire::Reader,
    };

    pub(crate) fn serialize<S: Serializer>(
        arguments: &Arguments,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(arguments.len()))?;
        for (name, value) in arguments {
            let mut bytes = BytesMut::new();
            put_value(&mut bytes, value);
            list.serialize_element(&(Octets::of(name.as_bytes()), Octets::base64(&bytes)))?;
        }
        list.end()
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arguments, D::Error> {
        let pairs = Vec::<(Octets, Octets)>::deserialize(from)?;
        let pairs = pairs.into_iter().map(|(name, value)| {
            let name = name.into_bytes().map_err(D::Error::custom)?;
            let value = value.into_bytes().map_err(D::Error::custom)?;
            let mut reader = Reader::new(value, "read stored arguments");
            let value = take_value(&mut reader, &mut Parts::default()).map_err(D::Error::custom)?;
            Ok((Text::from(name), value))
        });
        pairs.collect()
    }
}
