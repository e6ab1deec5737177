//! What is leased to a client.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::{
    dispatcher::Receipt,
    driver::ReceiptToken,
    id::{Offset, PartitionId},
};

/// A delivery that the caller has not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    /// What the broker knows it by.
    Held(Receipt),
    /// The broker ended it before the caller settled it: its message was given back.
    Ended,
}

/// The deliveries that the caller has not settled, by the token that it knows them by.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: HashMap<ReceiptToken, Receipt, RandomState>,
    /// The lease that is held on each message: one at most.
    places: HashMap<(PartitionId, Offset), ReceiptToken, RandomState>,
    /// Not held, and not settled by the caller, who has not heard of their end.
    ended: HashSet<ReceiptToken, RandomState>,
}

impl Leases {
    /// A delivery. A message has one holder, so that a lease before it has ended.
    pub(super) fn add(&mut self, token: ReceiptToken, receipt: Receipt) {
        if let Some(before) = self.places.insert(place(receipt), token) {
            self.held.remove(&before);
            self.ended.insert(before);
        }
        self.held.insert(token, receipt);
    }

    /// How many are held.
    pub(super) fn count(&self) -> usize {
        self.held.len()
    }

    /// Those that are held, in no order.
    pub(super) fn receipts(&self) -> impl Iterator<Item = Receipt> {
        self.held.values().copied()
    }

    /// `None` where it was settled, or never delivered.
    pub(super) fn get(&self, token: ReceiptToken) -> Option<Lease> {
        let held = self.held.get(&token).copied().map(Lease::Held);
        held.or_else(|| self.ended.contains(&token).then_some(Lease::Ended))
    }

    /// The broker does not know the lease any more.
    pub(super) fn end(&mut self, receipt: Receipt) {
        let token = self.places.get(&place(receipt)).copied();
        let token = token.filter(|token| self.held.get(token) == Some(&receipt));
        if let Some(token) = token {
            self.places.remove(&place(receipt));
            self.held.remove(&token);
            self.ended.insert(token);
        }
    }

    /// The caller has settled it, whether it was held or not.
    pub(super) fn settled(&mut self, token: ReceiptToken) {
        self.ended.remove(&token);
        if let Some(receipt) = self.held.remove(&token) {
            self.places.remove(&place(receipt));
        }
    }
}

fn place(receipt: Receipt) -> (PartitionId, Offset) {
    (receipt.partition, receipt.offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Lane;

    fn receipt(lease: u64) -> Receipt {
        Receipt {
            partition: PartitionId(0),
            offset: Offset(5),
            lease,
        }
    }

    fn token(lease: u64) -> ReceiptToken {
        ReceiptToken {
            lane: Lane(0),
            number: lease,
        }
    }

    fn leases(numbers: &[u64]) -> Leases {
        let mut leases = Leases::default();
        for number in numbers {
            leases.add(token(*number), receipt(*number));
        }
        leases
    }

    #[test]
    fn a_message_that_comes_again_ends_the_lease_before() {
        let mut leases = leases(&[1, 2]);
        assert_eq!(leases.count(), 1);
        assert_eq!(leases.get(token(1)), Some(Lease::Ended));
        assert_eq!(leases.get(token(2)), Some(Lease::Held(receipt(2))));
        leases.settled(token(1));
        assert_eq!(leases.get(token(1)), None);
        assert_eq!(leases.receipts().collect::<Vec<_>>(), [receipt(2)]);
    }

    #[test]
    fn the_end_of_an_old_lease_leaves_the_new_one() {
        let mut leases = leases(&[1, 2]);
        leases.end(receipt(1));
        assert_eq!(leases.get(token(2)), Some(Lease::Held(receipt(2))));
        leases.end(receipt(2));
        assert_eq!(leases.get(token(2)), Some(Lease::Ended));
        assert_eq!(leases.count(), 0);
    }

    #[test]
    fn what_is_settled_leaves_nothing_behind() {
        let mut leases = leases(&[1]);
        leases.settled(token(1));
        leases.end(receipt(1));
        assert_eq!(leases.get(token(1)), None);
        assert!(leases.places.is_empty() && leases.ended.is_empty());
    }
}
