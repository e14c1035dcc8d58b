//! What the cursors of event streams stand for.

use crate::{
    core::model::{Timestamp, UserId, time::DAY},
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::SWEEP_STEP},
    },
};

/// Most that are kept of one user, the latest. A client that comes back with an older one loads its chats again.
const KEPT: i64 = 16;

/// Keeps a user's heads, written as text, under a name.
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

/// What was kept for this user under a name, and since when.
pub fn find(
    conn: &mut AnyConn,
    name: &str,
    user: UserId,
) -> Result<Option<(String, Timestamp)>, StorageError> {
    let row = sql!("SELECT heads, created_at FROM event_cursors WHERE name = ? AND user_id = ?", name, user)
        .first::<(String, i64)>(conn)?;
    Ok(row.map(|(heads, at)| (heads, Timestamp(at))))
}

/// The latest that was kept for a user, where that was after `since`: its name, what it stands for, and since when.
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
    )
    .first::<(String, String, i64)>(conn)?;
    Ok(row.map(|(name, heads, at)| (name, heads, Timestamp(at))))
}

/// Deletes some of what no client has been given for a day and more. Returns whether there may be more.
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
