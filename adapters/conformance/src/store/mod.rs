//! What every [`Store`] must do. Each scenario panics with the promise that was broken.

mod logs;
mod owners;
mod space;
mod state;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use standpipe_core::{
    entry::{Draft, Format},
    error::Result,
    id::{LogId, PartitionId, TopicId},
    store::{Commit, CommitSeq, Durability, Epoch, Op, ReadLimit, Store, Submitted},
};

pub use logs::what_no_envelope_carries_is_refused;
pub use logs::{a_commit_spans_logs, look_up_by_time_finds_the_first, trim_moves_the_start};
pub use logs::{appends_are_dense_and_ordered, drop_forgets_the_log, reads_respect_limits};
pub use owners::{a_later_owner_fences_an_earlier_one, each_level_of_durability_is_reached};
pub use space::{an_entry_is_never_there_in_part, forgotten_ranges_are_passed_over};
pub use space::{octets_are_counted, trim_points_keep_enough};
pub use state::{a_closed_store_refuses, what_was_durable_is_there_when_opened_again};
pub use state::{
    cursors_are_a_snapshot_and_changes, keys_compare_and_set, lower_epochs_are_fenced,
};

/// Opens the store under test; called again, it opens the same one again where it lasts, and at the same
/// time where it is shared.
pub type Open<'a> = &'a (dyn Fn() -> BoxFuture<'static, Arc<dyn Store>> + Send + Sync);

/// Whether a store keeps its contents when it is closed and opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// It is gone with the process.
    Volatile,
    /// It is there again.
    Durable,
    /// Likewise, and several may have it open at once, of whom the one with the highest epoch owns it.
    Shared,
}

/// Runs all scenarios, each on logs, keys and cursors of its own: a store that lasts may have been used
/// before, and be used again.
///
/// # Panics
/// Where the store breaks a promise.
pub async fn all(open: Open<'_>, lasting: Lasting) {
    let store = open().await;
    appends_are_dense_and_ordered(&*store).await;
    reads_respect_limits(&*store).await;
    a_commit_spans_logs(&*store).await;
    trim_moves_the_start(&*store).await;
    drop_forgets_the_log(&*store).await;
    what_no_envelope_carries_is_refused(&*store).await;
    look_up_by_time_finds_the_first(&*store).await;
    forgotten_ranges_are_passed_over(&*store).await;
    an_entry_is_never_there_in_part(&*store).await;
    octets_are_counted(&*store).await;
    trim_points_keep_enough(&*store).await;
    keys_compare_and_set(&*store).await;
    cursors_are_a_snapshot_and_changes(&*store).await;
    each_level_of_durability_is_reached(&*store).await;
    a_closed_store_refuses(&*store).await;
    drop(store);
    if lasting != Lasting::Volatile {
        what_was_durable_is_there_when_opened_again(open).await;
    }
    if lasting == Lasting::Shared {
        a_later_owner_fences_an_earlier_one(open).await;
    }
    lower_epochs_are_fenced(&*open().await).await;
}

const ALL: ReadLimit = ReadLimit {
    bytes: usize::MAX,
    entries: usize::MAX,
};

fn new_log() -> LogId {
    LogId {
        topic: TopicId::random(),
        partition: PartitionId(0),
    }
}

fn append(log: LogId, body: &[u8], span: u32) -> Op {
    let draft = Draft::batch(Format::NATIVE, Bytes::copy_from_slice(body), span);
    Op::Append { log, draft }
}

fn submit(store: &dyn Store, ops: Vec<Op>) -> Result<Submitted> {
    store.submit(Commit {
        ops,
        durability: Durability::Disk,
        epoch: epoch(),
    })
}

/// Above all that were used on the same store before: microseconds since 1970.
fn epoch() -> Epoch {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("the clock is behind 1970").as_micros();
    Epoch(u64::try_from(now).expect("for half a million years"))
}

async fn settle(store: &dyn Store, seq: CommitSeq) {
    let durable = store.durable(seq, Durability::Disk).await;
    durable.expect("a commit becomes durable");
}
