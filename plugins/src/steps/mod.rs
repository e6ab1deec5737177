//! Declarative steps over headers and over fields of JSON payloads.

mod drop;
mod field;
mod json;
mod rename;
mod set;

use standpipe_core::{
    driver::Outcome,
    error::{Error, ErrorKind, Result},
    message::Message,
};

pub use drop::DropFields;
pub use field::Field;
pub use rename::RenameFields;
pub use set::SetFields;

/// Changes each message by itself; one that cannot be changed fails by itself.
fn each(batch: Vec<Message>, change: impl Fn(&mut Message) -> Result<()>) -> Vec<Outcome> {
    let changed = batch
        .into_iter()
        .map(|mut message| match change(&mut message) {
            Ok(()) => Outcome::One(message),
            Err(error) => Outcome::Failed(error),
        });
    changed.collect()
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "transform", message)
}

#[cfg(test)]
mod tests;
