//! How a store is printed: lines for people, JSON objects for programs.

use std::{collections::BTreeMap, io::Write};

use serde_json::json;
use standpipe_native::store::inspect::{Checked, Finding, Inspection, LogStat, Severity};

use super::store::Names;
use crate::exit::Failure;

/// A finding's line.
pub(crate) fn finding(
    out: &mut impl Write,
    finding: &Finding,
    names: &Names,
    json: bool,
) -> std::io::Result<()> {
    if json {
        let offsets = finding.offsets.as_ref();
        let line = json!({
            "severity": finding.severity.to_string(),
            "file": some(&finding.file),
            "at": finding.at,
            "topic": finding.log.and_then(|log| names.get(log.topic)),
            "topic_id": finding.log.map(|log| log.topic.0.to_string()),
            "partition": finding.log.map(|log| log.partition.0),
            "first_offset": offsets.map(|range| range.start.0),
            "last_offset": offsets.map(|range| range.end.0 - 1),
            "what": finding.what,
        });
        return writeln!(out, "{line}");
    }
    write!(out, "{:<7}", finding.severity.to_string())?;
    if let Some(file) = some(&finding.file) {
        write!(out, " {file}")?;
    }
    if let Some(at) = finding.at {
        write!(out, " at {at}")?;
    }
    if let Some(whose) = names.of_finding(finding) {
        write!(out, " {whose}")?;
    }
    if let Some(range) = &finding.offsets {
        match range.end.0 - range.start.0 {
            1 => write!(out, " offset {}", range.start)?,
            _ => write!(out, " offsets {} to {}", range.start, range.end.0 - 1)?,
        }
    }
    writeln!(out, ": {}", finding.what)
}

/// The line behind all findings.
pub(crate) fn checked(
    out: &mut impl Write,
    checked: &Checked,
    counts: &BTreeMap<Severity, u64>,
    json: bool,
) -> std::io::Result<()> {
    let Checked {
        files,
        octets,
        entries,
    } = checked;
    if json {
        let found: BTreeMap<_, _> = counts.iter().map(|(s, n)| (s.to_string(), n)).collect();
        let line = json!({"files": files, "octets": octets, "entries": entries, "found": found});
        return writeln!(out, "{line}");
    }
    let found: Vec<_> = counts.iter().map(|(s, n)| format!("{n} {s}")).collect();
    let found = match found.is_empty() {
        true => "all is well".to_owned(),
        false => found.join(", "),
    };
    writeln!(
        out,
        "{files} files, {octets} octets, {entries} whole entries: {found}"
    )
}

/// A line a partition, a line a file, and the sums.
pub(crate) fn stat(inspection: &Inspection, names: &Names, json: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let logs = inspection.logs()?;
    for stat in &logs {
        log_line(&mut out, stat, names, json)?;
    }
    let files = inspection.files()?;
    for file in &files {
        if json {
            writeln!(out, "{}", json!({"file": file.name, "octets": file.octets}))?;
        } else {
            writeln!(out, "file {}: {} octets", file.name, file.octets)?;
        }
    }
    let sum = |number: fn(&LogStat) -> u64| logs.iter().map(number).sum::<u64>();
    let (entries, octets) = (sum(|stat| stat.entries), sum(|stat| stat.bounds.octets));
    let in_segments = sum(|stat| stat.segment_octets);
    let (count, size) = (
        files.len(),
        files.iter().map(|file| file.octets).sum::<u64>(),
    );
    if json {
        let total = json!({
            "partitions": logs.len(), "entries": entries, "octets": octets,
            "segment_octets": in_segments, "files": count, "file_octets": size,
        });
        writeln!(out, "{}", json!({ "total": total }))?;
    } else {
        writeln!(
            out,
            "total {} partitions, {entries} entries, {octets} octets ({in_segments} in segments); \
             {count} files, {size} octets",
            logs.len()
        )?;
    }
    Ok(out.flush()?)
}

fn log_line(
    out: &mut impl Write,
    stat: &LogStat,
    names: &Names,
    json: bool,
) -> std::io::Result<()> {
    let (id, partition, bounds) = (stat.log.topic.0, stat.log.partition, stat.bounds);
    let in_journal = bounds.octets - stat.segment_octets.min(bounds.octets);
    let name = names.get(stat.log.topic);
    if json {
        let line = json!({
            "topic": name, "topic_id": id.to_string(), "partition": partition.0,
            "start": bounds.start.0, "end": bounds.end.0, "entries": stat.entries,
            "octets": bounds.octets, "segments": stat.segments,
            "segment_octets": stat.segment_octets, "journal_octets": in_journal,
            "lost_offsets": stat.lost,
        });
        return writeln!(out, "{line}");
    }
    let name = name.map_or_else(|| id.to_string(), str::to_owned);
    write!(
        out,
        "topic {name} partition {partition}: offsets {} to {}, {} entries, {} octets \
         ({} in {} segments, {in_journal} in the journal)",
        bounds.start, bounds.end, stat.entries, bounds.octets, stat.segment_octets, stat.segments
    )?;
    match stat.lost {
        0 => writeln!(out),
        lost => writeln!(out, "; {lost} offsets are lost, and it takes nothing more"),
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
