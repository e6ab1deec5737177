//! `standpipe store check --accept-loss`: what is given up, line by line.

use std::{io::Write, path::Path};

use serde_json::json;
use standpipe_native::store::{GivenUp, StoreOptions, accept_loss};

use super::store::Names;
use crate::exit::{Exit, Failure};

/// Gives up all that is lost; each thing is printed before it is.
pub(crate) fn accept(dir: &Path, names: &Names, json: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let (mut count, mut written) = (0, Ok(()));
    let told = |given_up: GivenUp| {
        count += 1;
        if written.is_ok() {
            written = line(&mut out, &given_up, names, json);
        }
    };
    let accepted = accept_loss(dir, StoreOptions::default(), told);
    written?;
    accepted.map_err(|error| Failure::new(Exit::Data, error.to_string()))?;
    if json {
        writeln!(out, "{}", json!({ "given_up": count }))?;
    } else {
        match count {
            0 => writeln!(out, "nothing is lost, and nothing was given up")?,
            _ => writeln!(out, "given up: {count}; all else is served again")?,
        }
    }
    Ok(out.flush()?)
}

fn line(
    out: &mut impl Write,
    given_up: &GivenUp,
    names: &Names,
    json: bool,
) -> std::io::Result<()> {
    match given_up {
        GivenUp::Journal { place, last } if json => {
            writeln!(out, "{}", json!({"journal": place, "last_commit": last}))
        }
        GivenUp::Journal { place, last } => {
            let last = last.map_or(String::new(), |last| format!(" up to commit {last}"));
            writeln!(
                out,
                "given up {place}{last}: besides the offsets named below, what it says of acks, names \
                 and settings, and of messages at the very end of a topic, cannot be told"
            )
        }
        GivenUp::Offsets(log, range) if json => {
            let line = json!({
                "topic": names.get(log.topic), "topic_id": log.topic.0.to_string(),
                "partition": log.partition.0,
                "first_offset": range.start.0, "last_offset": range.end.0 - 1,
            });
            writeln!(out, "{line}")
        }
        GivenUp::Offsets(log, range) => {
            let (first, last) = (range.start, range.end.0 - 1);
            writeln!(
                out,
                "given up {} offsets {first} to {last}",
                names.of_log(*log)
            )
        }
    }
}
