//! What SQLite keeps in `-wal`, brought into the file itself.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;

use crate::storage::{Access, DatabaseUrl, StorageError, db::sql::sql};

/// Copies all that was written into the database's file and empties its `-wal`, so that the file alone is whole. Returns
/// whether it is: another process may be in the way for longer than `patience`. PostgreSQL has nothing of the kind.
pub fn complete(url: &DatabaseUrl, patience: Duration) -> Result<bool, StorageError> {
    let DatabaseUrl::Sqlite(_) = url else { return Ok(true) };
    let mut conn = url.open(Access::Write)?;
    // It waits for who writes, and then for who reads.
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", patience.as_millis() / 2))?;
    let checkpoint = sql!("PRAGMA wal_checkpoint(TRUNCATE)");
    // Whether it gave up, the frames in `-wal`, and those of them that are in the file as well.
    let (_, frames, copied) = checkpoint.one::<(i64, i64, i64)>(&mut conn)?;
    Ok(frames == copied)
}

/// How long writers may wait for who still reads the end of `-wal`.
const MOMENT: Duration = Duration::from_millis(50);

/// Copies what was written into the database's file and empties its `-wal`, which would else keep what was deleted since.
/// Returns whether that is done: a reader may be in the way. Writers wait for a moment at most.
pub fn empty(url: &DatabaseUrl) -> Result<bool, StorageError> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(true) };
    if std::fs::metadata(format!("{path}-wal")).is_ok_and(|wal| wal.len() == 0) {
        return Ok(true);
    }
    let mut conn = url.open(Access::Write)?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", MOMENT.as_millis()))?;
    // Nobody waits for most of it.
    let (_, frames, copied) = sql!("PRAGMA wal_checkpoint(PASSIVE)").one::<(i64, i64, i64)>(&mut conn)?;
    if copied < frames {
        return Ok(false);
    }
    let (is_busy, _, _) = sql!("PRAGMA wal_checkpoint(TRUNCATE)").one::<(i64, i64, i64)>(&mut conn)?;
    Ok(is_busy == 0)
}

/// Who is in the way for so long does not go within the seconds that a stop waits: Litestream, for example.
const FOR_GOOD: Duration = Duration::from_secs(60);

/// Since when readers have kept `-wal` from being emptied.
#[derive(Debug, Default)]
pub struct InTheWay(Mutex<Option<Instant>>);

impl InTheWay {
    /// Notes whether somebody is in the way now.
    pub fn note(&self, is_anybody: bool, now: Instant) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *since = is_anybody.then(|| since.unwrap_or(now));
    }

    /// Whether somebody is who seems to stay.
    pub fn is_for_good(&self, now: Instant) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| now.duration_since(since) >= FOR_GOOD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_the_way_for_a_minute_without_a_break_stays() {
        let (way, start) = (InTheWay::default(), Instant::now());
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
