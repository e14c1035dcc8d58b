//! What an actor shows of itself to the directory.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use crate::core::model::Seq;

/// What an actor shows of itself to the directory.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Messages sent and not yet accepted. While it is zero under the lock, the mailbox is empty.
    pub(super) queued: AtomicUsize,
    /// How far the chat has been made known to who listens; 0 where nobody does.
    pub(super) told: AtomicI64,
}

impl Pulse {
    /// A message has been accepted.
    pub(super) fn beat(&self, told: Option<Seq>) {
        self.told.store(told.unwrap_or(0), Ordering::Relaxed);
        self.queued.fetch_sub(1, Ordering::Release);
    }
}
