//! Sender-selected distribution: further routing keys in the headers `CC` and `BCC`, as RabbitMQ has it.

use bytes::Bytes;
use standpipe_core::message::{Text, Value};

use super::refusal::{Handled, Refusal};
use crate::codec::{properties::Properties, stored};

const SEEN: &str = "CC";
/// Taken out of the message, so that no receiver sees it.
const HIDDEN: &str = "BCC";
/// Routing keys that one message may name.
const LIMIT: usize = 1024;

/// The further routing keys of a message, and the message as it is stored.
///
/// # Errors
/// 406 where one of the headers is no list, or the keys are too many.
pub(super) fn take(properties: &mut Properties, stored: Bytes) -> Handled<(Vec<Text>, Bytes)> {
    let mut keys = Vec::new();
    let is_there = |headers: &Bytes| {
        headers.windows(3).any(|three| three == b"\x02CC")
            || headers.windows(4).any(|four| four == b"\x03BCC")
    };
    if !properties.headers.as_ref().is_some_and(is_there) {
        return Ok((keys, stored)); // most messages: not even decoded here
    }
    let mut table = properties.table()?;
    for (name, value) in &table {
        if *name == SEEN || *name == HIDDEN {
            add(&mut keys, name, value)?;
        }
    }
    if keys.len() > LIMIT {
        let text = format!("{} routing keys in CC and BCC; {LIMIT} at most", keys.len());
        return Err(Refusal::precondition_failed(text));
    }
    let before = table.len();
    table.retain(|(name, _)| *name != HIDDEN);
    if table.len() == before {
        return Ok((keys, stored));
    }
    properties.set_table(&table)?;
    let stored = stored::with_properties(&stored, properties)?;
    Ok((keys, stored))
}

/// Items that are no strings are passed over.
fn add(keys: &mut Vec<Text>, name: &Text, value: &Value) -> Handled {
    let Value::List(items) = value else {
        let kind = value.kind();
        let text = format!("invalid message: {{unacceptable_type_in_header,\"{name}\",{kind}}}");
        return Err(Refusal::precondition_failed(text));
    };
    let texts = items.iter().filter_map(|item| match item {
        Value::Text(key) => Some(key.clone()),
        _ => None,
    });
    keys.extend(texts);
    Ok(())
}
