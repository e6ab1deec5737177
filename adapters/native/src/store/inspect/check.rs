//! Every checksum of a store, file by file.

use std::{cell::RefCell, collections::HashMap, io, ops::Range};

use standpipe_core::{
    id::{LogId, Offset},
    ranges::Ranges,
};

use super::{
    Inspection,
    checkpoints::{Look, look},
    finding::{Finding, Severity},
    journal::{Swept, sweep},
    segments,
};
use crate::store::{
    checkpoint::checkpoint_number,
    position::{Position, journal_name, journal_number},
    segment::segment_number,
    step::{Append, Step},
    vfs::{Disk, read_full_at},
    window::{Window, first_nonzero},
};

/// What a check went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files of the store.
    pub files: u64,
    /// Octets in them.
    pub octets: u64,
    /// Entries in the journal and in segments that are as they were written.
    pub entries: u64,
}

/// Goes through everything; each thing that is wrong is reported once.
pub(super) fn check(
    inspection: &Inspection,
    report: &mut dyn FnMut(Finding),
) -> io::Result<Checked> {
    let mut checked = Checked::default();
    let below = inspection.overlay.below();
    for name in below.names()? {
        if journal_number(&name).is_some()
            || segment_number(&name).is_some()
            || checkpoint_number(&name).is_some()
        {
            checked.files += 1;
            checked.octets += below.open(&name)?.len()?;
        }
    }
    let told: RefCell<HashMap<LogId, Ranges>> = RefCell::default();
    let report = &mut |mut finding: Finding| {
        if finding.severity == Severity::Lost && !inspection.misses(&finding) {
            finding.severity = Severity::Note;
            finding.what += "; nobody needs it any more";
        }
        if let Some((log, offsets)) = lost_offsets(&finding) {
            told.borrow_mut().entry(log).or_default().insert(&offsets);
        }
        report(finding);
    };
    check_checkpoints(inspection, report)?;
    for (name, at) in inspection.overlay.changed() {
        let what = "a flipped bit, which is mended when the store is opened";
        report(Finding::new(Severity::Mended, name, what).at(at));
    }
    checked.entries += check_journal(inspection, report)?;
    checked.entries += check_segments(inspection, report)?;
    report_leftovers(inspection, report);
    report_known(inspection, &told.take(), report);
    Ok(checked)
}

fn lost_offsets(finding: &Finding) -> Option<(LogId, Range<Offset>)> {
    let is_lost = finding.severity == Severity::Lost;
    Some((finding.log?, finding.offsets.clone()?)).filter(|_| is_lost)
}

/// What is known to be lost and has left no other trace.
fn report_known(
    inspection: &Inspection,
    told: &HashMap<LogId, Ranges>,
    report: &mut dyn FnMut(Finding),
) {
    let contents = inspection.recovered.as_ref().map(|found| &found.contents);
    for (id, log) in contents.iter().flat_map(|contents| &contents.logs) {
        let mut left = log.loss().ranges().clone();
        for range in told.get(id).iter().flat_map(|told| told.iter()) {
            left.remove(&range);
        }
        for range in left.iter() {
            let what = "these are damaged or gone, and were not given up";
            report(Finding::new(Severity::Lost, "", what).of(*id, range));
        }
    }
}

fn check_checkpoints(inspection: &Inspection, report: &mut dyn FnMut(Finding)) -> io::Result<()> {
    let below = inspection.overlay.below();
    for name in below.names()? {
        if checkpoint_number(&name).is_none() {
            continue;
        }
        let file = below.open(&name)?;
        let mut octets = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
        let read = read_full_at(&*file, &mut octets, 0)?;
        octets.truncate(read);
        match look(&octets) {
            Look::Whole { mended, unused } => {
                for at in mended {
                    let what = "a flipped bit, which is mended whenever it is read";
                    report(Finding::new(Severity::Mended, &name, what).at(at));
                }
                for at in unused {
                    let what = "a flipped bit that nothing depends on";
                    report(Finding::new(Severity::Unused, &name, what).at(at));
                }
            }
            Look::Unfinished => {
                let what = "unfinished: it was being written when the process ended";
                report(Finding::new(Severity::Note, &name, what));
            }
            Look::Damaged(at) => {
                // It goes on with the one before only while nothing was taken away for this one.
                let found = inspection.recovered.as_ref().ok();
                let torn = found.is_some_and(|found| checkpoint_number(&name) > found.checkpoint);
                let (severity, what) = match torn {
                    true => (
                        Severity::Note,
                        "torn or damaged, and needless: nothing is lost with it",
                    ),
                    false => (
                        Severity::Lost,
                        "the checkpoint is damaged and does not count",
                    ),
                };
                report(Finding::new(severity, &name, what).at(at));
            }
        }
    }
    Ok(())
}

fn check_journal(inspection: &Inspection, report: &mut dyn FnMut(Finding)) -> io::Result<u64> {
    let mut entries = 0;
    let mut ends = HashMap::new();
    let mut gap = None;
    let overlay = &inspection.overlay;
    let recovered = inspection.recovered.as_ref().ok();
    let end = recovered.map(|recovered| recovered.end);
    let mut visit = |swept: Swept<'_>| match swept {
        Swept::NoHeader(file) => {
            let what =
                "does not begin as a journal file does; its records cannot be told from others";
            report(closed(inspection, Position::new(file, 0), what));
        }
        Swept::Padding(at) => {
            let what = "octets that no record uses and that are not zero; nothing depends on them";
            report(Finding::new(Severity::Note, journal_name(at.file), what).at(at.at.into()));
        }
        Swept::Unreadable(at, to) => {
            let what = format!("no whole record stands here up to {to}, though it was synced");
            report(closed(inspection, at, &what));
            gap = Some(at);
        }
        Swept::Record(at, steps, damaged) => {
            let appends = steps.iter().filter_map(|step| match step {
                Step::Append(append) => Some(append),
                Step::Other(_) => None,
            });
            for append in appends {
                if let Some(gap) = gap {
                    report_gap(gap, append, &ends, report);
                }
                ends.insert(append.log, append.head.end_offset());
                if damaged.contains(&(append.log, append.offsets())) {
                    report(damaged_body(at, append));
                } else {
                    entries += 1;
                }
            }
        }
    };
    sweep(overlay, inspection.first_file, end, &mut visit)?;
    match &inspection.recovered {
        Ok(_) => report_tail(inspection, report)?,
        Err(error) => report(Finding::new(Severity::Closed, "", error.message())),
    }
    Ok(entries)
}

/// What keeps the store closed, unless it was given up.
fn closed(inspection: &Inspection, at: Position, what: &str) -> Finding {
    let (severity, what) = match inspection.is_given_up(at) {
        true => (Severity::Note, format!("{what}; it was given up")),
        false => (Severity::Closed, what.to_owned()),
    };
    Finding::new(severity, journal_name(at.file), what).at(at.at.into())
}

fn damaged_body(record: Position, append: &Append) -> Finding {
    let offsets = append.head.without_body().base_offset..append.head.end_offset();
    let what = "the body fails its checksum; its log takes nothing more";
    let found = Finding::new(Severity::Lost, journal_name(record.file), what);
    found
        .at(u64::from(record.at) + append.body_at as u64)
        .of(append.log, offsets)
}

/// What an unreadable stretch took of a log is seen where the log goes on.
fn report_gap(
    gap: Position,
    append: &Append,
    ends: &HashMap<LogId, Offset>,
    report: &mut dyn FnMut(Finding),
) {
    let base = append.head.without_body().base_offset;
    let end = ends.get(&append.log).copied();
    if let Some(end) = end.filter(|end| *end < base) {
        let what = "these were in what cannot be read";
        let found = Finding::new(Severity::Lost, journal_name(gap.file), what);
        report(found.at(gap.at.into()).of(append.log, end..base));
    }
}

/// What lies behind the journal's end: recovery cuts it.
fn report_tail(inspection: &Inspection, report: &mut dyn FnMut(Finding)) -> io::Result<()> {
    let Ok(recovered) = &inspection.recovered else {
        return Ok(());
    };
    let end = recovered.end;
    if end.file == 0 {
        return Ok(());
    }
    let file = match inspection.overlay.below().open(&journal_name(end.file)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()), // given up
        Err(error) => return Err(error),
    };
    let mut window = Window::new(&*file, file.len()?);
    if let Some(at) = first_nonzero(&mut window, end.at.into())? {
        let what = "a torn tail, which nothing in the journal knows to be synced; it is cut when the \
             store is opened";
        report(Finding::new(Severity::Note, journal_name(end.file), what).at(at));
    }
    Ok(())
}

fn check_segments(inspection: &Inspection, report: &mut dyn FnMut(Finding)) -> io::Result<u64> {
    let mut needed: HashMap<u64, Vec<_>> = HashMap::new();
    let contents = inspection.recovered.as_ref().map(|found| &found.contents);
    if let Ok(contents) = contents {
        for (id, log) in &contents.logs {
            for run in log.runs() {
                needed
                    .entry(run.segment)
                    .or_default()
                    .push((*id, run.clone()));
            }
        }
    }
    let mut entries = 0;
    let mut numbers: Vec<_> = inspection
        .overlay
        .names()?
        .iter()
        .filter_map(|name| segment_number(name))
        .filter(|number| *number < inspection.next_segment)
        .collect();
    numbers.sort_unstable();
    for number in numbers {
        let runs = needed.remove(&number).unwrap_or_default();
        let needed = contents.is_ok().then_some(&runs[..]);
        entries += segments::check(&**inspection.overlay.below(), number, needed, report)?;
    }
    Ok(entries)
}

fn report_leftovers(inspection: &Inspection, report: &mut dyn FnMut(Finding)) {
    for name in inspection.overlay.removed() {
        if checkpoint_number(&name).is_none() {
            let what =
                "a leftover of a process that was cut short; it goes when the store is opened";
            report(Finding::new(Severity::Note, name, what));
        }
    }
}
