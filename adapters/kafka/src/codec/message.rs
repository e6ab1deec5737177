//! How messages are declared: fields in order, each with the versions that have it.

/// Declares messages or parts of them: a structure with its [`Wire`](super::Wire) encoding.
///
/// ```text
/// message! {
///     /// What it is.
///     Name {
///         field: Type, 0..;
///         later: Type = value where absent, 4..=10;
///         @0 tagged: Type;
///     }
/// }
/// ```
/// Whether strings, arrays and the end are compact is the reader's and the writer's matter. Tagged
/// fields are skipped when read; the one that a message may declare here, with its number, is written
/// where it has a value.
macro_rules! message {
    ($($(#[$meta:meta])* $name:ident {
        $($field:ident: $type:ty $(= $default:expr)?, $versions:expr;)*
        $(@$number:literal $tagged:ident: $of:ty;)?
    })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)*
            $(pub(crate) $tagged: Option<$of>,)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $crate::codec::message::or_default!($($default)?),)*
                    $($tagged: None,)?
                }
            }
        }

        impl $crate::codec::Wire for $name {
            fn read(
                reader: &mut $crate::codec::Reader,
                version: i16,
            ) -> Result<Self, $crate::codec::Malformed> {
                let mut read = Self::default();
                $(if ($versions).contains(&version) {
                    read.$field = $crate::codec::Wire::read(reader, version)?;
                })*
                reader.skip_tags()?;
                Ok(read)
            }

            fn write(&self, writer: &mut $crate::codec::Writer, version: i16) {
                $(if ($versions).contains(&version) {
                    $crate::codec::Wire::write(&self.$field, writer, version);
                })*
                $(if let Some(value) = &self.$tagged {
                    return writer.put_tag($number, value, version);
                })?
                writer.put_no_tags();
            }
        }
    )*};
}

/// The value given, else the type's default.
macro_rules! or_default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

pub(crate) use message;
pub(crate) use or_default;
