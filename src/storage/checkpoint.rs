//! What SQLite keeps in `-wal`, brought into the file itself.

use std::time::Duration;

use diesel::connection::SimpleConnection;

use super::{Access, DatabaseUrl, OpenError, StorageError, sql::sql};

/// Copies all that was written into the database's file and empties its `-wal`, so that the file alone is whole. Fails
/// where another process is in the way for longer than `patience`. PostgreSQL has nothing of the kind.
pub fn complete(url: &DatabaseUrl, patience: Duration) -> Result<(), StorageError> {
    let DatabaseUrl::Sqlite(_) = url else { return Ok(()) };
    let mut conn = url.open(Access::Write)?;
    // It waits for who writes, and then for who reads.
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", patience.as_millis() / 2))?;
    let checkpoint = sql!("PRAGMA wal_checkpoint(TRUNCATE)");
    // Whether it gave up, the frames in `-wal`, and those of them that are in the file as well.
    let (_, frames, copied) = checkpoint.one::<(i64, i64, i64)>(&mut conn)?;
    if frames == copied { Ok(()) } else { Err(OpenError::new(&url.name(), BUSY).into()) }
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

const BUSY: &str = "another process has it open, and reads or writes";
