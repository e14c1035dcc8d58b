//! WAL checkpoints of SQLite: copying `-wal` into the database file.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;

use crate::{
    core::sync::Mutex,
    storage::{Access, DatabaseUrl, StorageError, db::sql::sql},
};

/// Copies all of `-wal` into the database file and truncates it, so that the file alone is complete. Returns
/// false if another process blocks it for longer than `patience`. PostgreSQL needs none.
pub fn complete(url: &DatabaseUrl, patience: Duration) -> Result<bool, StorageError> {
    let DatabaseUrl::Sqlite(_) = url else { return Ok(true) };
    let mut conn = url.open(Access::Write)?;
    // Half of it to wait for writers, half for readers.
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", patience.as_millis() / 2))?;
    let checkpoint = sql!("PRAGMA wal_checkpoint(TRUNCATE)");
    // Columns: whether it gave up, frames in `-wal`, and frames of these that are in the database file.
    let (_, frames, copied) = checkpoint.one::<(i64, i64, i64)>(&mut conn)?;
    Ok(frames == copied)
}

/// How long a truncation may block writers while a reader still uses the end of `-wal`.
const BUSY_TIMEOUT: Duration = Duration::from_millis(50);

/// Copies `-wal` into the database file and truncates it, since it may still contain deleted data. Returns
/// false if a reader blocks it. Writers wait for at most `BUSY_TIMEOUT`.
pub fn truncate_wal(url: &DatabaseUrl) -> Result<bool, StorageError> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(true) };
    if std::fs::metadata(format!("{path}-wal")).is_ok_and(|wal| wal.len() == 0) {
        return Ok(true);
    }
    let mut conn = url.open(Access::Write)?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()))?;
    // The passive checkpoint copies most of it without blocking writers.
    let (_, frames, copied) = sql!("PRAGMA wal_checkpoint(PASSIVE)").one::<(i64, i64, i64)>(&mut conn)?;
    if copied < frames {
        return Ok(false);
    }
    let (is_busy, _, _) = sql!("PRAGMA wal_checkpoint(TRUNCATE)").one::<(i64, i64, i64)>(&mut conn)?;
    Ok(is_busy == 0)
}

/// A process that blocks checkpoints for this long will not stop within the seconds of a shutdown. Litestream
/// is one.
const PERMANENT_AFTER: Duration = Duration::from_secs(60);

/// Tracks since when readers have blocked the truncation of `-wal`.
#[derive(Debug, Default)]
pub struct BlockedCheckpoint(Mutex<Option<Instant>>);

impl BlockedCheckpoint {
    /// Records whether the truncation is blocked now.
    pub fn note(&self, is_blocked: bool, now: Instant) {
        let mut since = self.0.lock();
        *since = is_blocked.then(|| since.unwrap_or(now));
    }

    /// Returns whether it has been blocked for so long that the blocker seems permanent.
    pub fn is_for_good(&self, now: Instant) -> bool {
        let since = *self.0.lock();
        since.is_some_and(|since| now.duration_since(since) >= PERMANENT_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_the_way_for_a_minute_without_a_break_stays() {
        let (way, start) = (BlockedCheckpoint::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!way.is_for_good(after(100)));
        way.note(true, after(100));
        way.note(true, after(130));
        assert!(!way.is_for_good(after(159)));
        assert!(way.is_for_good(after(160)));
        way.note(false, after(160));
        way.note(true, after(170));
        assert!(!way.is_for_good(after(229)));
    }
}
