//! `rename`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use standpipe_core::{
    driver::{Outcome, Transform},
    error::Result,
    message::{Headers, Message, Text},
};

use super::{Field, each, invalid, json::Object};

/// Renames headers and fields; what is not there is no error.
#[derive(Debug)]
pub struct RenameFields(Vec<(Field, Field)>);

impl RenameFields {
    /// Renames each from the first name to the second.
    ///
    /// # Errors
    /// `Invalid` for a name that stands for nothing, and for a header that would become a field.
    pub fn new(names: &BTreeMap<String, String>) -> Result<Self> {
        let pair = |(from, to): (&String, &String)| {
            let pair = (Field::parse(from)?, Field::parse(to)?);
            match pair {
                (Field::Header(_), Field::Header(_)) | (Field::Payload(_), Field::Payload(_)) => {
                    Ok(pair)
                }
                _ => Err(invalid(format!(
                    "`{from}` cannot become `{to}`: both are headers, or both are in the payload"
                ))),
            }
        };
        Ok(Self(names.iter().map(pair).collect::<Result<_>>()?))
    }

    fn change(&self, message: &mut Message) -> Result<()> {
        for pair in &self.0 {
            match pair {
                (Field::Header(from), Field::Header(to)) => {
                    rename_header(&mut message.headers, from, to);
                }
                (Field::Payload(from), Field::Payload(to)) => {
                    Object::change(message, |object| match object.remove(from)? {
                        Some(value) => object.set(to, value),
                        None => Ok(()),
                    })?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Every header of that name, each at its place.
fn rename_header(headers: &mut Headers, from: &str, to: &str) {
    if headers.get(from).is_none() {
        return;
    }
    let renamed = std::mem::take(headers).into_iter().map(|(name, value)| {
        let name = if name == from { Text::from(to) } else { name };
        (name, value)
    });
    *headers = renamed.collect();
}

#[async_trait]
impl Transform for RenameFields {
    async fn apply(&self, batch: Vec<Message>) -> Result<Vec<Outcome>> {
        Ok(each(batch, |message| self.change(message)))
    }
}
