//! Stored cursors of event streams. A cursor names the heads of a user's chats at one point of the stream.

use crate::{
    core::model::{Timestamp, UserId, time::DAY},
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::SWEEP_STEP},
    },
};

/// Most cursors kept for one user, the latest ones. A client that resumes from an older one loads its chats
/// again.
const KEPT: i64 = 16;

/// Stores a user's heads, as text, under a new name. Deletes the user's oldest cursors above `KEPT`.
pub fn save(
    conn: &mut AnyConn,
    name: &str,
    user: UserId,
    heads: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO event_cursors (name, user_id, heads, created_at) VALUES (?, ?, ?, ?)",
        name,
        user,
        heads,
        now
    )
    .run(conn)?;
    sql!(
        "DELETE FROM event_cursors WHERE name IN (SELECT name FROM event_cursors WHERE user_id = ? \
         ORDER BY created_at DESC LIMIT ? OFFSET ?)",
        user,
        SWEEP_STEP,
        KEPT
    )
    .run(conn)?;
    Ok(())
}

/// Loads a cursor of this user by name: its heads and the time when it was stored.
pub fn find(
    conn: &mut AnyConn,
    name: &str,
    user: UserId,
) -> Result<Option<(String, Timestamp)>, StorageError> {
    let row = sql!("SELECT heads, created_at FROM event_cursors WHERE name = ? AND user_id = ?", name, user);
    Ok(row.first(conn)?)
}

/// Loads the latest cursor of a user, if it was stored after `since`: its name, its heads and that time.
pub fn latest(
    conn: &mut AnyConn,
    user: UserId,
    since: Timestamp,
) -> Result<Option<(String, String, Timestamp)>, StorageError> {
    let row = sql!(
        "SELECT name, heads, created_at FROM event_cursors WHERE user_id = ? AND created_at > ? \
         ORDER BY created_at DESC LIMIT 1",
        user,
        since
    );
    Ok(row.first(conn)?)
}

/// Deletes up to `SWEEP_STEP` cursors older than two days, which no client was given for at least a day.
/// Returns whether there may be more.
pub fn sweep(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let old = Timestamp::now().plus(-2 * DAY);
    let deleted = sql!(
        "DELETE FROM event_cursors WHERE name IN (SELECT name FROM event_cursors WHERE created_at < ? LIMIT ?)",
        old,
        SWEEP_STEP
    )
    .run(conn)?;
    Ok(deleted as i64 == SWEEP_STEP)
}
