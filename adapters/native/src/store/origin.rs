//! What recovery begins with. Where it is not there, the rest would pass for leftovers, and be removed.

use standpipe_core::error::Result;

use super::{
    accepted::Accepted,
    checkpoint::{Facts, checkpoint_name, checkpoint_number},
    position::{journal_name, journal_number},
    recovery::{corrupt, failed},
    segment::{read_table, segment_name, segment_number},
    vfs::Disk,
};

/// Refuses for good to begin with `checkpoint`, or with none, where the store has gone on since.
///
/// # Errors
/// `Corrupt` where it has; `Permanent` where a segment cannot be read.
pub(super) fn check_origin(
    disk: &dyn Disk,
    names: &[String],
    (facts, checkpoint): (Facts, Option<u64>),
    accepted: &Accepted,
) -> Result<()> {
    // No crash takes the first file: it stays until a later checkpoint is on disk.
    let first = facts.first_file;
    if names.contains(&journal_name(first)) || accepted.knows_file(first) {
        return Ok(());
    }
    match checkpoint {
        Some(checkpoint) => check_newest(disk, names, (facts, checkpoint)),
        None => check_new(names),
    }
}

/// Without a checkpoint and the first file there must be nothing: what the segments hold cannot be told.
fn check_new(names: &[String]) -> Result<()> {
    let holds = |name: &String| {
        journal_number(name).is_some()
            || segment_number(name).is_some()
            || checkpoint_number(name).is_some()
    };
    if !names.iter().any(holds) {
        return Ok(());
    }
    Err(corrupt(
        "no checkpoint can be read, and without one nothing of the store can be told; restore it \
         from a copy: this cannot be given up"
            .into(),
    ))
}

/// Without the first file, a whole segment that the checkpoint does not count holds what is nowhere else.
fn check_newest(
    disk: &dyn Disk,
    names: &[String],
    (facts, checkpoint): (Facts, u64),
) -> Result<()> {
    let numbers = names.iter().filter_map(|name| segment_number(name));
    for number in numbers.filter(|number| *number >= facts.next_segment) {
        let name = segment_name(number);
        let file = disk.open(&name);
        let runs = file.and_then(|file| read_table(&*file, number));
        if runs
            .map_err(|e| failed(&format!("read {name}"), e))?
            .is_some()
        {
            return Err(corrupt(format!(
                "{} is older than the store: {} is gone, and {name} is whole and not counted; restore \
                 the newest checkpoint from a copy, or move the segments from number {} on elsewhere \
                 to go on without what they hold",
                checkpoint_name(checkpoint),
                journal_name(facts.first_file),
                facts.next_segment,
            )));
        }
    }
    Ok(())
}
