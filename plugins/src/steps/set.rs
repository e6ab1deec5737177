//! `set`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::value::{RawValue, to_raw_value};
use standpipe_core::{
    driver::{Outcome, Transform},
    envelope,
    error::Result,
    message::{Message, Value},
};

use super::{Field, each, invalid, json::Object};

/// Sets headers and fields, in place of all that have the name.
#[derive(Debug)]
pub struct SetFields {
    headers: Vec<(String, Value)>,
    fields: Vec<(Vec<String>, Box<RawValue>)>,
}

impl SetFields {
    /// Sets each name to its value. A header's value is a string, true, false, null, a number
    /// (whole ones become `i64`, others `f64`), or typed as in the envelope: `{"u8":"5"}`.
    ///
    /// # Errors
    /// `Invalid` for a name or value that stands for nothing.
    pub fn new(values: &BTreeMap<String, serde_json::Value>) -> Result<Self> {
        let (mut headers, mut fields) = (Vec::new(), Vec::new());
        for (name, value) in values {
            match Field::parse(name)? {
                Field::Header(name) => {
                    let value = header_value(&name, value)?;
                    headers.push((name, value));
                }
                Field::Payload(path) => {
                    let raw = to_raw_value(value).map_err(|error| invalid(error.to_string()))?;
                    fields.push((path, raw));
                }
            }
        }
        Ok(Self { headers, fields })
    }

    fn change(&self, message: &mut Message) -> Result<()> {
        for (name, value) in &self.headers {
            message.headers.set(name.as_str(), value.clone());
        }
        if self.fields.is_empty() {
            return Ok(());
        }
        Object::change(message, |object| {
            let mut fields = self.fields.iter();
            fields.try_for_each(|(path, value)| object.set(path, value.clone()))
        })
    }
}

fn header_value(name: &str, value: &serde_json::Value) -> Result<Value> {
    if let Some(number) = value.as_number() {
        let whole = number.as_i64().map(Value::I64);
        let value = whole.or_else(|| number.as_f64().map(Value::F64));
        return value
            .ok_or_else(|| invalid(format!("`{name}` is set to {number}, which is no i64")));
    }
    // The envelope knows how everything else is written.
    let line = serde_json::json!({ "headers": [[name, value]] }).to_string();
    let refused = |error| invalid(format!("`{name}` cannot be set to {value}: {error}"));
    let message = envelope::decode(line.as_bytes()).map_err(refused)?;
    Ok(message.headers.get(name).cloned().unwrap_or(Value::Null))
}

#[async_trait]
impl Transform for SetFields {
    async fn apply(&self, batch: Vec<Message>) -> Result<Vec<Outcome>> {
        Ok(each(batch, |message| self.change(message)))
    }
}
