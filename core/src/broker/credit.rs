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
    wake: Mutex<Vec<Arc<Notify>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Window,
    Grants,
}

impl Credit {
    /// At most `limit` unsettled messages at once; 0 is no limit (AMQP `basic.qos`).
    pub fn window(limit: u64) -> Arc<Self> {
        Self::new(Kind::Window, unlimited_if_zero(limit))
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
        let limit = self.limit.load(Ordering::SeqCst);
        let add = |used: u64| (used < limit).then_some(used + 1);
        self.used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, add)
            .is_ok()
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
        let was = self.used.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(was > 0, "credit given back twice");
        if was >= self.limit.load(Ordering::SeqCst) {
            self.notify();
        }
    }

    pub(super) fn wakes(&self, pump: Arc<Notify>) {
        self.wake.lock().push(pump);
    }

    pub(super) fn no_longer_wakes(&self, pump: &Arc<Notify>) {
        let mut wake = self.wake.lock();
        if let Some(at) = wake.iter().position(|one| Arc::ptr_eq(one, pump)) {
            wake.swap_remove(at);
        }
    }

    fn new(kind: Kind, limit: u64) -> Arc<Self> {
        Arc::new(Self {
            kind,
            limit: AtomicU64::new(limit),
            used: AtomicU64::new(0),
            wake: Mutex::new(Vec::new()),
        })
    }

    fn notify(&self) {
        self.wake.lock().iter().for_each(|pump| pump.notify_one());
    }
}

fn unlimited_if_zero(limit: u64) -> u64 {
    if limit == 0 { u64::MAX } else { limit }
}
