//! Going through a segment: what its table says, its indexes, its entries.

use std::io;

use standpipe_core::id::LogId;

use super::finding::{Finding, Severity};
use crate::store::{
    segment::{
        Found, Run, mended_in_table, read_table, segment_name, starts_as_segment, walk,
        whole_points,
    },
    vfs::{Disk, File, read_full_at},
};

/// Runs that somebody needs; `None` where it cannot be told.
pub(super) type Needed<'a> = Option<&'a [(LogId, Run)]>;

/// Checks segment `number`; returns the entries that are whole.
pub(super) fn check(
    disk: &dyn Disk,
    number: u64,
    needed: Needed<'_>,
    report: &mut dyn FnMut(Finding),
) -> io::Result<u64> {
    let name = segment_name(number);
    let file = disk.open(&name)?;
    if !starts_as_segment(&*file, number)? {
        let what = "the header is damaged; nothing depends on it";
        report(Finding::new(Severity::Unused, &name, what).at(0));
    }
    let Some(runs) = read_table(&*file, number)? else {
        let what = "the table is damaged: what the segment holds is lost";
        report(Finding::new(Severity::Lost, &name, what).at(file.len()?));
        return Ok(0);
    };
    for at in mended_in_table(&*file, number)? {
        let what = "a flipped bit in the table, which is mended whenever it is read";
        report(Finding::new(Severity::Mended, &name, what).at(at));
    }
    let mut whole = 0;
    for (log, run) in &runs {
        let is_needed = match needed {
            Some(needed) => needed.contains(&(*log, run.clone())),
            None => !is_punched(&*file, run)?,
        };
        if is_needed {
            whole += check_run(&*file, *log, run, report)?;
        }
    }
    Ok(whole)
}

fn check_run(
    file: &dyn File,
    log: LogId,
    run: &Run,
    report: &mut dyn FnMut(Finding),
) -> io::Result<u64> {
    let name = segment_name(run.segment);
    let finding = |severity, what| Finding::new(severity, &name, what);
    if whole_points(file, run)?.is_none() {
        let what = "the index is damaged: what it points to is read without it";
        let found = finding(Severity::Index, what).at(run.at + run.length);
        report(found.of(log, run.base..run.end));
    }
    let mut walk = walk(file, run, run.base)?;
    let (mut whole, mut at) = (0, walk.place());
    while let Some(found) = walk.next()? {
        match found {
            Found::Entry(entry) => {
                whole += 1;
                if walk.was_mended() {
                    let what = "a flipped bit in an envelope, which is mended whenever it is read";
                    let offsets = entry.base_offset..entry.end_offset();
                    report(finding(Severity::Mended, what).at(at).of(log, offsets));
                }
            }
            Found::Body(lost) => {
                let what = "the body fails its checksum";
                report(finding(Severity::Lost, what).at(at).of(log, lost));
            }
            Found::Lost(lost) => {
                let what = "no entry begins here, up to the next place that the index knows";
                report(finding(Severity::Lost, what).at(at).of(log, lost));
            }
        }
        at = walk.place();
    }
    Ok(whole)
}

/// Whether the run's space was given back: it reads as zeros then.
fn is_punched(file: &dyn File, run: &Run) -> io::Result<bool> {
    let mut start = vec![0; run.length.min(4096) as usize];
    let read = read_full_at(file, &mut start, run.at)?;
    Ok(start[..read].iter().all(|octet| *octet == 0))
}
