//! Counters that a chat actor shares with the directory.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use crate::core::model::Seq;

/// Counters that a chat actor shares with the directory: its mailbox length and its published head.
#[derive(Debug, Default)]
pub struct Activity {
    /// Messages sent and not yet accepted. While it is zero under the shard's lock, the mailbox is empty.
    pub(super) queued: AtomicUsize,
    /// `seq` of the latest event published on this node; 0 while the chat has no subscribers and no
    /// observers.
    pub(super) published_seq: AtomicI64,
}

impl Activity {
    /// Records that a message was accepted, and the published head after it.
    pub(super) fn beat(&self, published: Option<Seq>) {
        self.published_seq.store(published.unwrap_or(0), Ordering::Relaxed);
        self.queued.fetch_sub(1, Ordering::Release);
    }
}
