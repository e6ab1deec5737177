//! Emptying buckets that are open: what is due goes where it belongs, the rest to narrower slots.
//!
//! In pieces of bounded size. Each piece is one commit, which appends it and takes it out of the
//! bucket: a crash leaves it in one place, and never in two.

use std::{cmp::Reverse, collections::BTreeMap, ops::Range, sync::Arc};

use super::{
    Admission, Broker, Mode, Topic, catalog, expiry,
    filing::FilingIn,
    place::{Stop, Stops},
};
use crate::{
    entry::Entry,
    error::{Error, ErrorKind, Result},
    id::{LogId, Millis, Offset},
    store::{Commit, Durability, Op, Placed, ReadLimit, Store, Submitted},
    wheel::{Bucket, Kind, bucket_log},
};

/// What is moved in one commit.
const PIECE: ReadLimit = ReadLimit {
    bytes: 4 << 20,
    entries: 4096,
};

/// Pieces of a topic that are moved in one turn.
const PIECES: usize = 64;

/// The entries of a bucket that are moved together, and what follows from their being gone.
struct Piece {
    bucket: Bucket,
    entries: Vec<Entry>,
    gone: Vec<Op>,
    emptied: Option<Bucket>,
}

/// What is first of a bucket that can be read.
struct Read {
    from: Offset,
    entries: Vec<Entry>,
    /// Why something before it cannot.
    damage: Option<Error>,
}

impl Broker {
    /// Moves what is in the buckets of a topic that are open at `now`: where that is much, a part of it,
    /// so that other topics have their turn. What is due first goes first; a bucket that cannot be moved
    /// holds up no other.
    pub(super) async fn turn_wheel(&self, topic: &Arc<Topic>, now: Millis) -> Result<()> {
        let mut failed = BTreeMap::new();
        for _ in 0..PIECES {
            let next = {
                let mut wheel = topic.wheel.lock();
                wheel.advance(now);
                let open = wheel.open().into_iter();
                let open = open.filter(|(bucket, _)| !failed.contains_key(bucket));
                open.min_by_key(|(bucket, _)| (bucket.begins_at(), Reverse(bucket.level)))
            };
            let Some((bucket, number)) = next else {
                break;
            };
            let log = bucket_log(topic.id(), number);
            if let Err(error) = self.move_piece(topic, bucket, log).await {
                failed.insert(bucket, error);
            }
        }
        failed.into_values().next().map_or(Ok(()), Err)
    }

    async fn move_piece(&self, topic: &Arc<Topic>, bucket: Bucket, log: LogId) -> Result<()> {
        let bounds = topic.store.bounds(log).await?;
        let read = read_first(&*topic.store, log, bounds.start..bounds.end).await?;
        let Read {
            from,
            entries,
            damage,
        } = read;
        if let Some(error) = damage.as_ref().filter(|_| entries.is_empty()) {
            tracing::error!(
                topic = %topic.name(), %error,
                "what is left of messages that are due now cannot be read; all others were moved"
            );
            topic.wheel.lock().set_aside(bucket);
            return Ok(());
        }
        let end = entries.last().map_or(bounds.end, Entry::end_offset);
        let last = end >= bounds.end && damage.is_none();
        let gone = match damage {
            // Only a person gives up what is before.
            Some(_) => vec![Op::Forget {
                log,
                range: from..end,
            }],
            None => gone(topic, bucket, log, end, last),
        };
        let piece = Piece {
            bucket,
            entries,
            gone,
            emptied: last.then_some(bucket),
        };
        match bucket.kind {
            Kind::Delivery => self.deliver_piece(topic, piece).await,
            Kind::Expiry => self.expire_piece(topic, piece).await,
        }
    }

    /// Messages that are due get their offsets, in the order of their times.
    async fn deliver_piece(&self, topic: &Arc<Topic>, mut piece: Piece) -> Result<()> {
        piece
            .entries
            .sort_by_key(|entry| (entry.draft.fields.deliver_at, entry.base_offset));
        let at = piece.bucket.partition;
        let partition = topic.partition(at)?;
        let stop = Stop {
            topic: topic.clone(),
            at,
            partition: partition.clone(),
        };
        let confirm = {
            let _tail = partition.tail.lock();
            let start = partition.end();
            let Some(mut filing) = FilingIn::begin(topic) else {
                return Ok(());
            };
            let (mut ops, mut later, mut end) = (Vec::new(), Vec::new(), start);
            let mut in_memory = Vec::new();
            for Entry { draft, .. } in piece.entries {
                let due = draft.fields.deliver_at.unwrap_or_default();
                let Some(draft) = filing.file(&mut later, Kind::Delivery, at, due, draft) else {
                    continue;
                };
                match draft.fields.expires_at {
                    Some(expires) if topic.lives_in_memory() => in_memory.push((expires, end)),
                    Some(expires) => {
                        let note = expiry::note(end, expires);
                        filing.file_at_least(&mut later, Kind::Expiry, at, expires, note);
                    }
                    None => {}
                }
                end = end.plus(u64::from(draft.span));
                let log = partition.log;
                ops.push(Op::Append { log, draft });
            }
            ops.extend(later);
            ops.extend(piece.gone);
            let submitted = topic.store.submit(self.moving(ops))?;
            partition.extend(end);
            filing.done(self, piece.emptied);
            for (expires, offset) in in_memory {
                self.expires_in_memory(&stop, Some(expires), offset);
            }
            self.moved(&submitted, stop, start, end)
        };
        confirm.await
    }

    /// Messages that expire are settled where nobody holds them.
    async fn expire_piece(&self, topic: &Arc<Topic>, piece: Piece) -> Result<()> {
        let now = topic.wheel.lock().now();
        let notes: Result<Vec<_>> = piece.entries.iter().map(expiry::read_note).collect();
        let (due, later): (Vec<_>, Vec<_>) = notes?.into_iter().partition(|(_, due)| *due <= now);
        let at = piece.bucket.partition;
        let mut offsets: Vec<_> = due.into_iter().map(|(offset, _)| offset).collect();
        offsets.sort_unstable();
        // Persisted first, in a commit before that which forgets the notes.
        for subscription in topic.subscriptions() {
            if subscription.mode() != Mode::Positional {
                subscription.expire(at, &offsets)?;
            }
        }
        let submitted = {
            let Some(mut filing) = FilingIn::begin(topic) else {
                return Ok(());
            };
            let mut ops = Vec::new();
            for (offset, due) in later {
                let note = expiry::note(offset, due);
                filing.file_at_least(&mut ops, Kind::Expiry, at, due, note);
            }
            ops.extend(piece.gone);
            let submitted = topic.store.submit(self.moving(ops))?;
            filing.done(self, piece.emptied);
            submitted
        };
        // Nobody waits for a settlement by time; the store's own pace is the limit.
        topic.store.durable(submitted.seq, Durability::Os).await
    }

    fn moving(&self, ops: Vec<Op>) -> Commit {
        Commit {
            ops,
            durability: Durability::Disk,
            epoch: self.inner.epoch,
        }
    }

    /// What follows the move, once it is on disk: readers see what is due.
    fn moved(
        &self,
        submitted: &Submitted,
        stop: Stop,
        start: Offset,
        end: Offset,
    ) -> super::Confirm {
        let span = u32::try_from(end.0 - start.0).expect("a piece is small");
        if span == 0 {
            let store = stop.topic.store.clone();
            return super::Confirm::durable(store, submitted.seq, Durability::Os);
        }
        let whole = Submitted {
            seq: submitted.seq,
            placed: vec![Placed {
                base_offset: start,
                ..submitted.placed[0]
            }],
        };
        let stops = Stops::from_iter([stop]);
        self.complete(&whole, stops, span, Durability::Disk, Admission::none())
    }
}

/// Reads on from what is damaged: that holds up nothing behind it.
async fn read_first(store: &dyn Store, log: LogId, range: Range<Offset>) -> Result<Read> {
    let (mut from, mut damage) = (range.start, None);
    let mut entries = Vec::new();
    while from < range.end && entries.is_empty() {
        match store.read(log, from, PIECE).await {
            Ok(read) if read.is_empty() => break,
            Ok(read) => entries = read,
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                from = from.next();
                // There may be many, which are told without a wait.
                tokio::task::consume_budget().await;
                damage.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Read {
        from,
        entries,
        damage,
    })
}

/// Takes a piece out of its bucket; with the last one the bucket goes.
fn gone(topic: &Topic, bucket: Bucket, log: LogId, below: Offset, last: bool) -> Vec<Op> {
    if last {
        catalog::drop_bucket(topic.id(), bucket, log.partition.0).into()
    } else {
        vec![Op::Trim { log, below }]
    }
}
