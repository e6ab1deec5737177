//! Giving up what cannot be had back, so that the rest is served again.

use std::{ops::Range, path::Path, sync::Arc};

use standpipe_core::{
    error::{Error, ErrorKind, Result},
    id::{LogId, Offset},
    store::{Commit, Durability, Op, Store},
};

use super::{
    NativeStore, StoreOptions,
    accepted::{More, Skip},
    directory::Directory,
    inspect::{Inspection, Overlay, Severity},
    ownership::{Lock, known_format},
    recovery::recover_past,
    vfs::Disk,
};

/// Something that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenUp {
    /// A stretch of the journal that holds no whole record, or commits that are in no file. What
    /// they did to keys, cursors, and the ends of logs cannot be told.
    Journal {
        /// The file and the place, for a person.
        place: String,
        /// The last commit that is given up, where a later one is there.
        last: Option<u64>,
    },
    /// Offsets of a log.
    Offsets(LogId, Range<Offset>),
}

/// Gives up all that damage has taken in the store in `directory`, and tells each thing to `told`
/// before it is given up: then the store opens, and every log takes entries again. Nothing else
/// changes, and the damaged files stay as they are. Blocks; for a store that is not running.
///
/// # Errors
/// As [`NativeStore::open`]; `Corrupt` where no checkpoint can be read, or only one that is older than
/// the store, which cannot be given up.
pub fn accept_loss(
    directory: impl AsRef<Path>,
    options: StoreOptions,
    mut told: impl FnMut(GivenUp),
) -> Result<()> {
    let path = directory.as_ref();
    known_format(path)?;
    let lock = Lock::take(path)?;
    let disk = Directory::open(path).map_err(cannot)?;
    let options = options.fit(disk.total());
    let disk: Arc<dyn Disk> = Arc::new(disk);
    futures::executor::block_on(accept(disk, Some(lock), &options, &mut told))
}

pub(super) async fn accept(
    disk: Arc<dyn Disk>,
    lock: Option<Lock>,
    options: &StoreOptions,
    told: &mut dyn FnMut(GivenUp),
) -> Result<()> {
    let overlay = Overlay::new(disk.clone());
    let (recovered, accepted) = recover_past(&overlay, More::Accepted)?;
    let fresh = accepted.fresh();
    if !fresh.is_empty() {
        fresh.iter().for_each(|skip| told(journal(skip)));
        accepted.write(&*disk).map_err(cannot)?;
    }
    let epoch = recovered.contents.epoch;
    let lost = lost(&disk)?;
    if lost.is_empty() {
        return Ok(());
    }
    let store = NativeStore::start(disk, lock, options)?;
    let ops = lost.into_iter().map(|(log, range)| {
        told(GivenUp::Offsets(log, range.clone()));
        Op::Forget { log, range }
    });
    let commit = Commit {
        ops: ops.collect(),
        durability: Durability::Disk,
        epoch,
    };
    let seq = store.submit(commit)?.seq;
    store.durable(seq, Durability::Disk).await?;
    store.close().await
}

fn journal(skip: &Skip) -> GivenUp {
    GivenUp::Journal {
        place: skip.to_string(),
        last: (!skip.is_file()).then_some(skip.seq),
    }
}

/// All offsets that a check says are lost.
fn lost(disk: &Arc<dyn Disk>) -> Result<Vec<(LogId, Range<Offset>)>> {
    let inspection = Inspection::over(disk.clone(), None)?;
    let mut lost = Vec::new();
    inspection.check(|finding| {
        if finding.severity == Severity::Lost {
            lost.extend(finding.log.zip(finding.offsets));
        }
    })?;
    Ok(lost)
}

fn cannot(error: std::io::Error) -> Error {
    let message = "cannot use the directory";
    Error::new(ErrorKind::Permanent, "accept loss", message).with_source(error)
}
