//! From a producer's batch to what is appended of it.

use bytes::Bytes;
use standpipe_core::{broker::Topic, entry::Draft};

use super::{
    failure::{Failure, batch_failure},
    settings,
    workers::{Workers, is_heavy, read_here},
};
use crate::codec::{
    api::produce::RecordError,
    error_code::ErrorCode,
    records::{BadBatch, Packing, Survey, check, repack, split},
};

/// Records that an answer names at most, of those that were refused.
pub(super) const NAMED: usize = 4096;
/// Octets that a record counts which is named.
const NAME: usize = 128;

/// What is appended of a batch.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The batch.
    pub(super) draft: Draft,
    /// Its records by themselves, where they are kept so.
    pub(super) pieces: Vec<Draft>,
}

impl Prepared {
    /// Octets that are on their way to the store: pieces are not compressed.
    pub(super) fn octets(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(|piece| piece.body.len()).sum();
        pieces.max(self.draft.body.len())
    }
}

/// Why a batch is not appended, and which of its records are at fault, where it is some of them.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) failure: Failure,
    pub(super) records: Vec<RecordError>,
}

impl Refused {
    /// Names no more records than there is room for, which is less from then on. What is not named gives
    /// its memory back: a request may have many batches, and all that is held of them waits for the last.
    pub(super) fn name_at_most(&mut self, room: &mut usize) {
        self.records.truncate(*room);
        self.records.shrink_to_fit();
        *room -= self.records.len();
    }

    /// About as many octets as it holds beside itself.
    pub(super) fn octets(&self) -> usize {
        let (_, message) = &self.failure;
        message.len() + self.records.len() * NAME
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let records = Vec::new();
        Self { failure, records }
    }
}

/// What a topic makes of a batch.
#[derive(Debug, Clone, Copy)]
enum Kept {
    AsProduced,
    Packed(Packing),
    ByKey,
}

/// Checks a batch and its records, and brings it into the form that its topic keeps.
///
/// # Errors
/// As Kafka's broker refuses batches, with INVALID_RECORD for all that does not read.
pub(super) async fn prepare(
    workers: &Workers,
    topic: &Topic,
    records: &Bytes,
) -> Result<Prepared, Refused> {
    let draft = check(records).map_err(batch_failure)?;
    let kept = match (topic.retention().compaction(), settings::packing(topic)) {
        (Some(_), _) => Kept::ByKey,
        (None, Some(packing)) => Kept::Packed(packing),
        (None, None) => Kept::AsProduced,
    };
    if !is_heavy(&draft.body) && !matches!(kept, Kept::Packed(_)) {
        return bring(draft, kept);
    }
    if matches!(kept, Kept::AsProduced) {
        let surveyed = read_here(&draft.body, |limit| surveyed(&draft, limit)).await;
        if let Some(surveyed) = surveyed {
            surveyed.map_err(batch_failure)?;
            let pieces = Vec::new();
            return Ok(Prepared { draft, pieces });
        }
    }
    let working = workers.run(move || bring(draft, kept));
    working.await.unwrap_or_else(|error| Err(lost(&error)))
}

/// Whether a batch's records are what they should be; `None` where more comes out of it than `limit`.
fn surveyed(draft: &Draft, limit: usize) -> Option<Result<(), BadBatch>> {
    match Survey::within(draft, limit) {
        Err(BadBatch::TooLarge(_)) => None,
        surveyed => Some(surveyed.map(drop)),
    }
}

fn bring(draft: Draft, kept: Kept) -> Result<Prepared, Refused> {
    let survey = Survey::of(&draft).map_err(batch_failure)?;
    let (draft, pieces) = match kept {
        Kept::AsProduced => (draft, Vec::new()),
        Kept::Packed(packing) => {
            let packed = repack(draft, &survey, packing);
            (packed.map_err(|error| lost(&error))?, Vec::new())
        }
        Kept::ByKey => {
            check_keys(&survey)?;
            let pieces = split(&draft);
            (draft, pieces)
        }
    };
    Ok(Prepared { draft, pieces })
}

/// A compacted topic must know the key of each record (KIP-467 names those that have none).
fn check_keys(survey: &Survey) -> Result<(), Refused> {
    let records: Vec<_> = survey
        .keyless()
        .take(NAMED)
        .map(|batch_index| RecordError {
            batch_index,
            message: Some("no key, and the topic is compacted".into()),
        })
        .collect();
    let Some(first) = records.first() else {
        return Ok(());
    };
    let first = first.batch_index;
    let message = format!("the topic is compacted, and record {first} of the batch has no key");
    let failure = (ErrorCode::InvalidRecord, message);
    Err(Refused { failure, records })
}

fn lost(error: &dyn std::error::Error) -> Refused {
    (ErrorCode::UnknownServerError, error.to_string()).into()
}
