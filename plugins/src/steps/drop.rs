//! `drop`.

use async_trait::async_trait;
use standpipe_core::{
    driver::{Outcome, Transform},
    error::Result,
    message::Message,
};

use super::{Field, each, json::Object};

/// Removes headers and fields; what is not there is no error.
#[derive(Debug)]
pub struct DropFields(Vec<Field>);

impl DropFields {
    /// Removes those.
    ///
    /// # Errors
    /// `Invalid` for a name that stands for nothing.
    pub fn new(names: &[String]) -> Result<Self> {
        let fields = names.iter().map(|name| Field::parse(name));
        Ok(Self(fields.collect::<Result<_>>()?))
    }

    fn change(&self, message: &mut Message) -> Result<()> {
        for field in &self.0 {
            match field {
                Field::Header(name) => drop(message.headers.remove(name)),
                Field::Payload(path) => {
                    Object::change(message, |object| object.remove(path).map(drop))?;
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Transform for DropFields {
    async fn apply(&self, batch: Vec<Message>) -> Result<Vec<Outcome>> {
        Ok(each(batch, |message| self.change(message)))
    }
}
