//! Checksums of what a commit appends, which are computed before the store's lock is taken.

use bytes::Bytes;
use smallvec::SmallVec;
use standpipe_core::{checksum::crc32c, store::Op};

/// One for each body that is appended, in order.
#[derive(Debug, Default)]
pub(crate) struct Sums(SmallVec<[u32; 1]>);

impl Sums {
    /// Of what `ops` append. A body that goes to several logs is read once.
    pub(crate) fn of(ops: &[Op]) -> Self {
        let mut last: Option<(&Bytes, u32)> = None;
        let sums = ops.iter().filter_map(|op| {
            let Op::Append { draft, .. } = op else {
                return None;
            };
            let same = last.filter(|(body, _)| is_same(body, &draft.body));
            let sum = same.map_or_else(|| crc32c(&draft.body), |(_, sum)| sum);
            last = Some((&draft.body, sum));
            Some(sum)
        });
        Self(sums.collect())
    }
}

impl IntoIterator for Sums {
    type Item = u32;
    type IntoIter = smallvec::IntoIter<[u32; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Whether both are the same octets in memory.
pub(crate) fn is_same(one: &Bytes, other: &Bytes) -> bool {
    (one.as_ptr(), one.len()) == (other.as_ptr(), other.len())
}

#[cfg(test)]
mod tests {
    use standpipe_core::{
        entry::{Draft, Format},
        id::{LogId, Offset, PartitionId, TopicId},
    };
    use uuid::Uuid;

    use super::*;

    const LOG: LogId = LogId {
        topic: TopicId(Uuid::nil()),
        partition: PartitionId(0),
    };

    fn append(body: Bytes) -> Op {
        let draft = Draft::single(Format::NATIVE, body);
        Op::Append { log: LOG, draft }
    }

    #[test]
    fn each_append_has_the_sum_of_its_own_body() {
        let shared = Bytes::from_static(b"shared by two");
        let trim = Op::Trim {
            log: LOG,
            below: Offset(1),
        };
        let ops = [
            append(shared.clone()),
            trim,
            append(shared.clone()),
            append(shared.slice(..6)),
            append(Bytes::new()),
        ];
        let sums: Vec<_> = Sums::of(&ops).into_iter().collect();
        let whole = crc32c(b"shared by two");
        assert_eq!(sums, [whole, whole, crc32c(b"shared"), 0]);
    }
}
