//! What a channel was given and has not settled: delivery tags and the receipts behind them.

use std::{
    collections::{BTreeMap, btree_map::IntoValues},
    sync::Arc,
};

use standpipe_core::{broker::Subscription, dispatcher::Receipt};

/// One delivery that waits to be settled.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) subscription: Arc<Subscription>,
    pub(super) receipt: Receipt,
}

/// Delivery tags of one channel, from 1.
#[derive(Debug)]
pub(super) struct Unacked<T = Held> {
    last_tag: u64,
    held: BTreeMap<u64, T>,
}

impl<T> Default for Unacked<T> {
    fn default() -> Self {
        Self {
            last_tag: 0,
            held: BTreeMap::new(),
        }
    }
}

impl<T> Unacked<T> {
    /// The next tag, for a delivery that needs no settling.
    pub(super) fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// The next tag, for a delivery that is held until it is settled.
    pub(super) fn hold(&mut self, held: T) -> u64 {
        let tag = self.next_tag();
        self.held.insert(tag, held);
        tag
    }

    /// Takes the delivery of `tag`, or with `multiple` all up to and including it; with tag 0 and
    /// `multiple` all there are (specification 1.8.3.13). `None` where `tag` is not outstanding. There
    /// may be millions, which give their memory back one by one.
    pub(super) fn take(&mut self, tag: u64, multiple: bool) -> Option<IntoValues<u64, T>> {
        if tag == 0 && multiple {
            return Some(self.take_all());
        }
        if !multiple {
            let held = self.held.remove(&tag)?;
            return Some(BTreeMap::from([(tag, held)]).into_values());
        }
        if !self.held.contains_key(&tag) {
            return None;
        }
        let later = self.held.split_off(&(tag + 1));
        let taken = std::mem::replace(&mut self.held, later);
        Some(taken.into_values())
    }

    /// Takes everything.
    pub(super) fn take_all(&mut self) -> IntoValues<u64, T> {
        std::mem::take(&mut self.held).into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Unacked<char> {
        let mut unacked = Unacked::default();
        "abcd".chars().for_each(|c| {
            unacked.hold(c);
        });
        unacked
    }

    fn taken(unacked: &mut Unacked<char>, tag: u64, multiple: bool) -> Option<String> {
        unacked.take(tag, multiple).map(Iterator::collect)
    }

    #[test]
    fn multiple_takes_all_up_to_the_tag() {
        let mut unacked = filled();
        assert_eq!(taken(&mut unacked, 2, true).as_deref(), Some("ab"));
        assert_eq!(taken(&mut unacked, 2, true), None);
        assert_eq!(taken(&mut unacked, 0, true).as_deref(), Some("cd"));
        assert_eq!(taken(&mut unacked, 0, true).as_deref(), Some(""));
    }

    #[test]
    fn one_tag_is_taken_once() {
        let mut unacked = filled();
        assert_eq!(taken(&mut unacked, 3, false).as_deref(), Some("c"));
        assert_eq!(taken(&mut unacked, 3, false), None);
        assert_eq!(taken(&mut unacked, 0, false), None);
        assert_eq!(unacked.next_tag(), 5);
    }
}
