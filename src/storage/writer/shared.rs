//! What the threads of a writer share, and those who ask them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::slow_log::SlowLog;

/// What the lanes of a writer and those who ask them share.
#[derive(Default)]
pub(super) struct State {
    /// The last transaction failed because the database cannot be written.
    pub is_away: AtomicBool,
    /// The server is on its way down: nobody waits for a database that is away.
    pub is_stopping: AtomicBool,
    pub slow: SlowLog,
}

impl State {
    /// Whether nothing is tried any more: each try may wait for seconds where the database is locked.
    pub(super) fn has_given_up(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed) && self.is_away.load(Ordering::Relaxed)
    }
}
