//! Ranges that several sets have in common.

use std::ops::Range;

use crate::id::Offset;

/// What is in both, in order; each is in order and its ranges lie apart.
pub(super) fn common(left: &[Range<Offset>], right: &[Range<Offset>]) -> Vec<Range<Offset>> {
    let (mut l, mut r) = (left.iter().peekable(), right.iter().peekable());
    let mut both = Vec::new();
    while let (Some(a), Some(b)) = (l.peek(), r.peek()) {
        let (start, end) = (a.start.max(b.start), a.end.min(b.end));
        if start < end {
            both.push(start..end);
        }
        if a.end <= b.end {
            l.next();
        } else {
            r.next();
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ranges() -> impl Strategy<Value = Vec<Range<Offset>>> {
        prop::collection::vec((1u64..9, 1u64..9), 0..20).prop_map(|steps| {
            let mut at = 0;
            let apart = steps.into_iter().map(|(gap, length)| {
                let start = at + gap;
                at = start + length;
                Offset(start)..Offset(at)
            });
            apart.collect()
        })
    }

    fn offsets(ranges: &[Range<Offset>]) -> BTreeSet<u64> {
        let offsets = ranges.iter().flat_map(|range| range.start.0..range.end.0);
        offsets.collect()
    }

    proptest! {
        #[test]
        fn it_is_the_intersection(left in ranges(), right in ranges()) {
            let both = common(&left, &right);
            let expected = &offsets(&left) & &offsets(&right);
            prop_assert_eq!(offsets(&both), expected);
            prop_assert!(both.is_sorted_by(|a, b| a.end <= b.start));
        }
    }
}
