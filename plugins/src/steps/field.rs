//! What a step's name stands for.

use standpipe_core::error::Result;

use super::invalid;

/// A header, or a field of a JSON payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Every header of that name.
    Header(String),
    /// The field at that path.
    Payload(Vec<String>),
}

impl Field {
    /// Reads `name` or `payload.x.y`.
    ///
    /// # Errors
    /// `Invalid` where a part is empty.
    pub fn parse(name: &str) -> Result<Self> {
        let Some(path) = name.strip_prefix("payload.") else {
            if name.is_empty() {
                return Err(invalid(
                    "a header has no name; name it, or write payload.FIELD",
                ));
            }
            return Ok(Self::Header(name.to_owned()));
        };
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(invalid(format!(
                "`{name}` names no field; write payload.x or payload.x.y"
            )));
        }
        Ok(Self::Payload(path))
    }
}
