//! How much a consumer may have: shared by several attachments where the protocol says so.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Room for deliveries. AMQP's prefetch is a window (settling gives room back); native and gRPC
/// grant room explicitly.
#[derive(Debug)]
pub struct Credit {
    kind: Kind,
    limit: AtomicU64,
    used: AtomicU64,
    /// What must have room too.
    outer: Option<Arc<Credit>>,
    wake: Mutex<Vec<Arc<Notify>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Window,
    Grants,
    Uncounted,
}

impl Credit {
    /// At most `limit` unsettled messages at once; 0 is no limit (AMQP `basic.qos`).
    pub fn window(limit: u64) -> Arc<Self> {
        Self::new(Kind::Window, unlimited_if_zero(limit))
    }

    /// A window within another: what is out counts against both (AMQP's prefetch of a consumer and
    /// of its channel).
    pub fn within(limit: u64, outer: Arc<Self>) -> Arc<Self> {
        Self::with_outer(Kind::Window, unlimited_if_zero(limit), Some(outer))
    }

    /// Nothing while `outer` is full, and no limit else: what is out does not count.
    pub fn beside(outer: Arc<Self>) -> Arc<Self> {
        Self::with_outer(Kind::Uncounted, u64::MAX, Some(outer))
    }

    /// No limit.
    pub fn unlimited() -> Arc<Self> {
        Self::window(0)
    }

    /// Nothing until [`Credit::grant`].
    pub fn grants() -> Arc<Self> {
        Self::new(Kind::Grants, 0)
    }

    /// Grants `more` messages.
    pub fn grant(&self, more: u64) {
        let add = |limit: u64| Some(limit.saturating_add(more));
        let _ = self
            .limit
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
        self.notify();
    }

    /// Changes a window; 0 is no limit. What is out stays out.
    pub fn set_window(&self, limit: u64) {
        self.limit.store(unlimited_if_zero(limit), Ordering::SeqCst);
        self.notify();
    }

    /// Messages that count against it now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::SeqCst)
    }

    pub(super) fn take(&self) -> bool {
        let Some(outer) = &self.outer else {
            return self.count();
        };
        if self.kind == Kind::Uncounted {
            return outer.has_room();
        }
        // Asked first: to give the outer room back would wake all who wait for it, this one included.
        if !self.has_room() || !outer.take() {
            return false;
        }
        let taken = self.count();
        if !taken {
            outer.untake();
        }
        taken
    }

    fn count(&self) -> bool {
        let limit = self.limit.load(Ordering::SeqCst);
        let add = |used: u64| (used < limit).then_some(used + 1);
        self.used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, add)
            .is_ok()
    }

    fn has_room(&self) -> bool {
        self.used() < self.limit.load(Ordering::SeqCst)
    }

    pub(super) fn give_back(&self) {
        if self.kind == Kind::Window {
            self.untake();
        }
    }

    /// A message was granted, and nothing came of it: an explicit grant stands again. A window has
    /// its room back already, since the lease has ended.
    pub(super) fn nothing_came(&self) {
        if self.kind == Kind::Grants {
            self.untake();
        }
    }

    /// Takes back a take that came to nothing.
    pub(super) fn untake(&self) {
        if let Some(outer) = &self.outer {
            outer.untake();
        }
        let was = self.used.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(was > 0, "credit given back twice");
        if was >= self.limit.load(Ordering::SeqCst) {
            self.notify();
        }
    }

    pub(super) fn wakes(&self, pump: Arc<Notify>) {
        if let Some(outer) = &self.outer {
            outer.wakes(pump.clone());
        }
        self.wake.lock().push(pump);
    }

    pub(super) fn no_longer_wakes(&self, pump: &Arc<Notify>) {
        if let Some(outer) = &self.outer {
            outer.no_longer_wakes(pump);
        }
        let mut wake = self.wake.lock();
        if let Some(at) = wake.iter().position(|one| Arc::ptr_eq(one, pump)) {
            wake.swap_remove(at);
        }
    }

    fn new(kind: Kind, limit: u64) -> Arc<Self> {
        Self::with_outer(kind, limit, None)
    }

    fn with_outer(kind: Kind, limit: u64, outer: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            kind,
            limit: AtomicU64::new(limit),
            used: AtomicU64::new(0),
            outer,
            wake: Mutex::new(Vec::new()),
        })
    }

    /// Wakes all who wait, each time another first: the same would else take the room each time.
    fn notify(&self) {
        let mut wake = self.wake.lock();
        wake.iter().for_each(|pump| pump.notify_one());
        if !wake.is_empty() {
            wake.rotate_left(1);
        }
    }
}

fn unlimited_if_zero(limit: u64) -> u64 {
    if limit == 0 { u64::MAX } else { limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(credit: &Credit, most: usize) -> usize {
        (0..most).take_while(|_| credit.take()).count()
    }

    #[test]
    fn a_window_within_another_counts_against_both() {
        let outer = Credit::window(3);
        let (a, b) = (
            Credit::within(2, outer.clone()),
            Credit::within(0, outer.clone()),
        );
        assert_eq!((taken(&a, 9), taken(&b, 9)), (2, 1));
        assert_eq!((a.used(), b.used(), outer.used()), (2, 1, 3));
        a.give_back();
        assert_eq!((taken(&b, 9), taken(&a, 9)), (1, 0));
        outer.set_window(0);
        assert_eq!((taken(&a, 9), taken(&b, 9)), (1, 9));
    }

    #[test]
    fn what_is_beside_waits_and_counts_for_nothing() {
        let outer = Credit::window(1);
        let beside = Credit::beside(outer.clone());
        assert_eq!(taken(&beside, 9), 9);
        assert!(outer.take());
        assert!(!beside.take());
        beside.give_back();
        assert!(!beside.take() && outer.used() == 1);
        outer.give_back();
        assert!(beside.take());
    }

    #[tokio::test]
    async fn room_in_the_outer_wakes_who_waits_within_and_beside() {
        let outer = Credit::window(1);
        for credit in [
            Credit::within(5, outer.clone()),
            Credit::beside(outer.clone()),
        ] {
            let pump = Arc::new(Notify::new());
            credit.wakes(pump.clone());
            assert!(outer.take());
            assert!(!credit.take());
            outer.give_back();
            pump.notified().await;
            credit.no_longer_wakes(&pump);
            assert!(outer.wake.lock().is_empty());
        }
    }

    #[tokio::test]
    async fn a_full_window_within_a_free_one_wakes_nobody() {
        let outer = Credit::window(2);
        let credit = Credit::within(1, outer.clone());
        let pump = Arc::new(Notify::new());
        credit.wakes(pump.clone());
        assert!(credit.take());
        assert!(!credit.take());
        let woken = futures::FutureExt::now_or_never(pump.notified());
        assert!(woken.is_none(), "it would ask again and again");
    }
}
