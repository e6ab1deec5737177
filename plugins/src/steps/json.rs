//! Fields of JSON objects, changed without touching the others: numbers, order, duplicates and
//! spaces inside other fields stay as they were written.

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use standpipe_core::{error::Result, message::Message};

use super::invalid;

/// An object's fields in order.
#[derive(Debug, Default)]
pub(super) struct Object(Vec<(String, Box<RawValue>)>);

impl Object {
    /// Applies `change` to the message's payload. A tombstone has no fields and stays one.
    pub(super) fn change(
        message: &mut Message,
        change: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let Some(payload) = &message.payload else {
            return Ok(());
        };
        let mut object: Self = serde_json::from_slice(payload)
            .map_err(|error| invalid(format!("the payload is no JSON object: {error}")))?;
        change(&mut object)?;
        message.payload = Some(Bytes::from(object.text()?.into_bytes()));
        Ok(())
    }

    /// Removes the field at `path`, and returns it; nothing where it is not there.
    pub(super) fn remove(&mut self, path: &[String]) -> Result<Option<Box<RawValue>>> {
        let [first, rest @ ..] = path else {
            return Ok(None);
        };
        if !rest.is_empty() {
            let Some(mut inner) = self.inner(first) else {
                return Ok(None);
            };
            let removed = inner.remove(rest)?;
            if removed.is_some() {
                self.put(first, inner.raw()?);
            }
            return Ok(removed);
        }
        let Some(at) = self.0.iter().position(|(name, _)| name == first) else {
            return Ok(None);
        };
        let (_, removed) = self.0.remove(at);
        self.0.retain(|(name, _)| name != first);
        Ok(Some(removed))
    }

    /// Sets the field at `path`; objects on the way are made where they are missing.
    pub(super) fn set(&mut self, path: &[String], value: Box<RawValue>) -> Result<()> {
        let [first, rest @ ..] = path else {
            return Ok(());
        };
        if rest.is_empty() {
            self.put(first, value);
            return Ok(());
        }
        let mut inner = match self.0.iter().any(|(name, _)| name == first) {
            false => Self::default(),
            true => self
                .inner(first)
                .ok_or_else(|| invalid(format!("the payload's field `{first}` is no object")))?,
        };
        inner.set(rest, value)?;
        self.put(first, inner.raw()?);
        Ok(())
    }

    fn inner(&self, name: &str) -> Option<Self> {
        let (_, raw) = self.0.iter().find(|(n, _)| n == name)?;
        serde_json::from_str(raw.get()).ok()
    }

    fn put(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| invalid(error.to_string()))
    }

    fn raw(&self) -> Result<Box<RawValue>> {
        RawValue::from_string(self.text()?).map_err(|error| invalid(error.to_string()))
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Object(fields))
    }
}
