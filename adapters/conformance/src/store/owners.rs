//! Promises to several owners of one store, and about what a confirm waits for.

use standpipe_core::{
    error::{ErrorKind, Result},
    id::{LogId, Offset},
    store::{Commit, Durability, Epoch, Store},
};

use super::{ALL, Open, append, epoch, new_log};

/// A commit reaches the level that it was made for, and any higher one that is waited for later.
///
/// # Panics
/// Where the store does otherwise.
pub async fn each_level_of_durability_is_reached(store: &dyn Store) {
    let levels = [Durability::Memory, Durability::Os, Durability::Disk];
    for (at, level) in levels.into_iter().enumerate() {
        let submitted = store.submit(Commit {
            ops: vec![append(new_log(), b"x", 1)],
            durability: level,
            epoch: epoch(),
        });
        let seq = submitted.expect("a commit").seq;
        for wanted in &levels[at..] {
            let reached = store.durable(seq, *wanted).await;
            reached.unwrap_or_else(|error| panic!("{level:?} reaches {wanted:?}: {error}"));
        }
    }
}

/// One who comes with a higher epoch sees what was there and goes on with it; from then on the earlier
/// one commits nothing, and its end is not the other's.
///
/// # Panics
/// Where the store does otherwise.
pub async fn a_later_owner_fences_an_earlier_one(open: Open<'_>) {
    let (log, first) = (new_log(), epoch());
    let second = Epoch(first.0 + 1);
    let (earlier, later) = (open().await, open().await);
    let base = commit(&*earlier, log, first).await.expect("the only owner");
    assert_eq!(base, Offset::ZERO);
    let base = commit(&*later, log, second).await.expect("a later owner");
    assert_eq!(base, Offset(1), "it goes on with what is there");
    let fenced = commit(&*earlier, log, first).await;
    let fenced = fenced.expect_err("an owner that was superseded");
    assert_eq!(fenced.kind(), ErrorKind::Conflict);
    earlier.close().await.expect("a close");
    let base = commit(&*later, log, second)
        .await
        .expect("the one owner left");
    assert_eq!(base, Offset(2), "nothing came of what was refused");
    let entries = later.read(log, Offset::ZERO, ALL).await.expect("a read");
    assert_eq!(entries.len(), 3);
    later.close().await.expect("a close");
}

/// Appends as an owner; a store far away may know only when it is asked for the disk that another has it.
async fn commit(store: &dyn Store, log: LogId, epoch: Epoch) -> Result<Offset> {
    let submitted = store.submit(Commit {
        ops: vec![append(log, b"x", 1)],
        durability: Durability::Disk,
        epoch,
    })?;
    store.durable(submitted.seq, Durability::Disk).await?;
    Ok(submitted.placed[0].base_offset)
}
