//! A batch as batches of one record.

use bytes::BytesMut;
use standpipe_core::{
    entry::Draft,
    id::{Millis, Offset},
};

use super::{BatchBuilder, check, codec::records};

/// A larger batch stays whole: each record in a batch of its own takes some 140 octets more.
const MOST: u32 = 20_000;

/// The records of a checked batch in batches of their own, not compressed; none where it does not
/// read, or has one or too many.
pub(crate) fn split(draft: &Draft) -> Vec<Draft> {
    if draft.span < 2 || draft.span > MOST {
        return Vec::new();
    }
    let Ok((header, records)) = records(&draft.body) else {
        return Vec::new();
    };
    let single = records.into_iter().map(|record| {
        let time = header.base_timestamp.saturating_add(record.timestamp_delta);
        let mut builder = BatchBuilder::new(Offset::ZERO, 0);
        builder.push(Offset::ZERO, Millis(time), record);
        let mut out = BytesMut::new();
        builder.finish(Offset::ZERO.next(), &mut out);
        check(&out.freeze()).ok()
    });
    single.collect::<Option<_>>().unwrap_or_default()
}
