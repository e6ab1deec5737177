//! `standpipe store dump`: entries as envelopes.

use std::io::{BufWriter, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use standpipe::codecs;
use standpipe_core::{
    codec::{Codecs, annotate},
    entry::{Entry, Flags},
    envelope,
    id::LogId,
};
use standpipe_native::store::inspect::{Inspection, Stored};

use super::store::Names;
use crate::exit::{Exit, Failure};

/// Prints all partitions, or those of one topic, in order. What is damaged is told on stderr, and
/// passed over.
pub(crate) fn dump(
    inspection: &Inspection,
    names: &Names,
    topic: Option<&str>,
) -> Result<(), Failure> {
    let only = topic.map(|name| names.find(name)).transpose()?;
    let logs = inspection.logs()?.into_iter().map(|stat| stat.log);
    let (codecs, mut damaged) = (codecs(), 0_u64);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for log in logs.filter(|log| only.is_none_or(|topic| log.topic == topic)) {
        let id = log.topic.0.to_string();
        let name = names.get(log.topic).unwrap_or(&id);
        inspection.entries(log, |stored| match stored {
            Stored::Entry(entry) => print(&mut out, &codecs, (name, log), &entry),
            Stored::Damaged(range, file) => {
                damaged += range.end.0 - range.start.0;
                let (first, last, partition) = (range.start, range.end.0 - 1, log.partition);
                let why = match file {
                    Some(file) => format!("damaged in {file}"),
                    None => "lost: what held them is gone or damaged".to_owned(),
                };
                eprintln!("topic {name} partition {partition} offsets {first} to {last}: {why}");
                Ok::<_, Failure>(())
            }
        })?;
    }
    out.flush()?;
    match damaged {
        0 => Ok(()),
        _ => Err(Failure::new(
            Exit::Data,
            format!("{damaged} offsets cannot be read; `standpipe store check` says more"),
        )),
    }
}

fn print(
    out: &mut impl Write,
    codecs: &Codecs,
    (topic, log): (&str, LogId),
    entry: &Entry,
) -> Result<(), Failure> {
    let control = entry.draft.flags.contains(Flags::CONTROL);
    let decoded = match control {
        true => None,
        false => codecs.decode(entry).ok(),
    };
    let Some(messages) = decoded else {
        return Ok(raw(out, (topic, log), entry, control)?);
    };
    let mut line = Vec::new();
    for (_, mut message) in messages {
        annotate(&mut message, topic, log.partition, 0);
        message.annotations.attempts = None;
        line.clear();
        envelope::encode(&message, &mut line)?;
        out.write_all(&line)?;
    }
    Ok(())
}

/// An entry that is no message to anybody here: its octets, and what they are said to be.
fn raw(
    out: &mut impl Write,
    (topic, log): (&str, LogId),
    entry: &Entry,
    control: bool,
) -> std::io::Result<()> {
    let line = json!({
        "raw": STANDARD.encode(entry.body()),
        "format": entry.draft.format.to_string(),
        "control": control,
        "meta": {
            "topic": topic,
            "partition": {"u32": log.partition.0.to_string()},
            "offset": {"u64": entry.base_offset.0.to_string()},
        },
    });
    writeln!(out, "{line}")
}
