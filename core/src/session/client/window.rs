//! How much credit to grant: pure arithmetic over what is out.

use super::{super::CreditGrant, WINDOW_BYTES};

/// Credit that was granted and not used, against what the client may hold.
#[derive(Debug)]
pub(super) struct Window {
    messages: u64,
    granted: u64,
    /// Below zero where the last message was larger than what was left.
    granted_bytes: i64,
}

impl Window {
    pub(super) fn new(messages: u32) -> Self {
        Self {
            messages: messages.into(),
            granted: 0,
            granted_bytes: 0,
        }
    }

    /// A message of `bytes` arrived.
    pub(super) fn arrived(&mut self, bytes: usize) {
        self.granted = self.granted.saturating_sub(1);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.granted_bytes = self.granted_bytes.saturating_sub(bytes);
    }

    /// What to grant while the client holds that much; none until half of the window is free, so
    /// that grants come seldom.
    pub(super) fn grant(&mut self, held: u64, held_bytes: u64) -> Option<CreditGrant> {
        let messages = self.messages.saturating_sub(self.granted + held);
        let room = i64::try_from(WINDOW_BYTES.saturating_sub(held_bytes)).unwrap_or(0);
        let bytes = room.saturating_sub(self.granted_bytes).max(0);
        let stalled = self.granted == 0 && messages > 0;
        let starved = self.granted_bytes <= 0 && bytes > 0;
        let half = messages * 2 >= self.messages && messages > 0;
        if !(stalled || starved || half) {
            return None;
        }
        self.granted += messages;
        self.granted_bytes += bytes;
        Some(CreditGrant {
            messages,
            bytes: Some(bytes.unsigned_abs()),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_out_never_exceeds_the_window(
            window in 1u32..100,
            steps in prop::collection::vec((any::<bool>(), 0usize..40_000_000), 0..200),
        ) {
            let mut credit = Window::new(window);
            let (mut out, mut held, mut held_bytes) = (0u64, Vec::<usize>::new(), 0u64);
            for (settle, size) in steps {
                if let Some(grant) = credit.grant(held.len() as u64, held_bytes) {
                    out += grant.messages;
                }
                prop_assert!(out + held.len() as u64 <= u64::from(window));
                if settle || out == 0 {
                    held_bytes -= held.pop().unwrap_or(0) as u64;
                } else {
                    out -= 1;
                    credit.arrived(size);
                    held.push(size);
                    held_bytes += size as u64;
                }
            }
        }

        #[test]
        fn an_empty_client_is_never_without_credit(sizes in prop::collection::vec(0usize..40_000_000, 0..50)) {
            let mut credit = Window::new(4);
            for size in sizes {
                credit.grant(0, 0);
                prop_assert!(credit.granted > 0 && credit.granted_bytes > 0);
                credit.arrived(size);
            }
        }
    }
}
