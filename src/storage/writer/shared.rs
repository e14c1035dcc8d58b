//! State that the writer's workers and handles share.

use std::sync::atomic::{AtomicBool, Ordering};

use super::slow_log::SlowLog;

/// State that the writer's workers and handles share.
#[derive(Default)]
pub(super) struct WriterState {
    /// The last transaction failed because the database is unavailable for writes.
    pub is_away: AtomicBool,
    /// The server is shutting down. From now on nothing waits for an unavailable database.
    pub is_stopping: AtomicBool,
    pub slow: SlowLog,
}

impl WriterState {
    /// Returns whether to fail jobs without an attempt: the server is stopping and the database is
    /// unavailable. Each attempt could wait seconds for a lock.
    pub(super) fn has_given_up(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed) && self.is_away.load(Ordering::Relaxed)
    }
}
