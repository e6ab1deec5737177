//! Where a log's entries lie, in memory.

use std::collections::VecDeque;

use standpipe_core::{
    entry::Entry,
    id::{Millis, Offset},
};

use super::record::Extent;

/// Entries in a block: small enough to waste little on a short log, large enough that a long
/// one is searched in few steps.
const BLOCK: usize = 256;

/// One entry: 32 octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    /// Offsets from the block's base.
    delta: u32,
    pub(crate) extent: Extent,
    /// For look-up by time; the lowest number where no reader sees a message in it.
    time: i64,
}

#[derive(Debug)]
struct Block {
    base: u64,
    /// The latest time in it; trimmed entries may still count.
    latest: i64,
    slots: Vec<Slot>,
}

/// Extents by offset. Grows at the end, shrinks from the front.
#[derive(Debug, Default)]
pub(crate) struct Index {
    blocks: VecDeque<Block>,
    octets: u64,
}

impl Index {
    /// Adds the next entry.
    pub(crate) fn push(&mut self, entry: &Entry, extent: Extent) {
        let base = entry.base_offset.0;
        let time = match entry.draft.visible {
            0 => i64::MIN,
            _ => entry.time().0,
        };
        let fits = |block: &Block| block.slots.len() < BLOCK && base - block.base < 1 << 32;
        if !self.blocks.back().is_some_and(fits) {
            self.blocks.push_back(Block {
                base,
                latest: i64::MIN,
                slots: Vec::new(),
            });
        }
        let block = self.blocks.back_mut().expect("there is one now");
        self.octets += u64::from(extent.body_length);
        block.latest = block.latest.max(time);
        block.slots.push(Slot {
            delta: u32::try_from(base - block.base).expect("checked to fit above"),
            extent,
            time,
        });
    }

    /// Lets every entry go whose base is below `below`.
    pub(crate) fn cut(&mut self, below: Offset) {
        while self.blocks.get(1).is_some_and(|next| next.base <= below.0) {
            self.pop_block();
        }
        let Some(first) = self.blocks.front_mut() else {
            return;
        };
        let base = first.base;
        let gone = |slot: &Slot| base + u64::from(slot.delta) < below.0;
        let gone = first.slots.partition_point(gone);
        let octets = |slot: Slot| u64::from(slot.extent.body_length);
        self.octets -= first.slots.drain(..gone).map(octets).sum::<u64>();
        if first.slots.is_empty() {
            self.blocks.pop_front();
        }
        self.shrink();
    }

    /// Octets of the bodies.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    fn pop_block(&mut self) {
        let block = self.blocks.pop_front().into_iter();
        let slots = block.flat_map(|block| block.slots);
        self.octets -= slots
            .map(|slot| u64::from(slot.extent.body_length))
            .sum::<u64>();
    }

    fn shrink(&mut self) {
        if self.blocks.len() * 4 < self.blocks.capacity() {
            self.blocks.shrink_to_fit();
        }
    }

    /// Entries from the one with the highest base at or below `from` on, in order.
    pub(crate) fn from(&self, from: Offset) -> impl Iterator<Item = (Offset, Slot)> + '_ {
        let block = self
            .blocks
            .partition_point(|block| block.base <= from.0)
            .saturating_sub(1);
        let slot = self.blocks.get(block).map_or(0, |found| {
            let below = |slot: &Slot| found.base + u64::from(slot.delta) <= from.0;
            found.slots.partition_point(below).saturating_sub(1)
        });
        self.blocks
            .range(block.min(self.blocks.len())..)
            .flat_map(Block::entries)
            .skip(slot)
    }

    /// The first entry that lies in a file behind `file`.
    pub(crate) fn behind_file(&self, file: u32) -> Option<Offset> {
        let lies_before = |slot: &Slot| slot.extent.file <= file;
        let before = |block: &Block| block.slots.last().is_none_or(lies_before);
        let block = self.blocks.get(self.blocks.partition_point(before))?;
        let slot = block.slots.partition_point(lies_before);
        block.entries().nth(slot).map(|(base, _)| base)
    }

    /// The first entry at or behind `start` whose time is at or after `at`.
    pub(crate) fn at_time(&self, start: Offset, at: Millis) -> Option<Offset> {
        let at = at.0.max(i64::MIN + 1);
        self.blocks
            .iter()
            .filter(|block| block.latest >= at)
            .flat_map(Block::entries)
            .find(|(base, slot)| slot.time >= at && *base >= start)
            .map(|(base, _)| base)
    }
}

impl Block {
    fn entries(&self) -> impl Iterator<Item = (Offset, Slot)> + '_ {
        let place = |slot: &Slot| (Offset(self.base + u64::from(slot.delta)), *slot);
        self.slots.iter().map(place)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use standpipe_core::entry::{Draft, Format};

    use super::*;

    fn extent(n: usize) -> Extent {
        Extent {
            file: 1,
            head: n as u32,
            head_length: 0,
            body: 0,
            body_length: 0,
        }
    }

    #[test]
    fn a_slot_takes_32_octets() {
        assert_eq!(std::mem::size_of::<Slot>(), 32);
    }

    proptest! {
        #[test]
        fn every_offset_finds_the_entry_that_covers_it(
            spans in prop::collection::vec(1u32..2000, 1..700),
            cut in 0.0..1.0f64,
        ) {
            let (mut index, mut end, mut bases) = (Index::default(), 0u64, Vec::new());
            for (n, span) in spans.iter().enumerate() {
                let entry = Entry {
                    base_offset: Offset(end),
                    appended: Millis((n / 3) as i64),
                    leader_epoch: 0,
                    draft: Draft::batch(Format::NATIVE, Bytes::new(), *span),
                };
                index.push(&entry, extent(n));
                bases.push(end);
                end += u64::from(*span);
            }
            let start = (end as f64 * cut) as u64;
            let cut = bases.iter().rev().find(|base| **base <= start).copied();
            index.cut(Offset(cut.unwrap_or(0)));
            for probe in (start..end).step_by(97) {
                let covering = bases.partition_point(|base| *base <= probe) - 1;
                let (base, slot) = index.from(Offset(probe)).next().unwrap();
                prop_assert_eq!(base.0, bases[covering]);
                prop_assert_eq!(slot.extent.head as usize, covering);
                prop_assert_eq!(index.from(Offset(probe)).count(), bases.len() - covering);
            }
            let wanted = (0..bases.len()).find(|n| n / 3 >= 50 && bases[*n] >= start);
            let found = index.at_time(Offset(start), Millis(50));
            prop_assert_eq!(found.map(|base| base.0), wanted.map(|n| bases[n]));
        }
    }
}
