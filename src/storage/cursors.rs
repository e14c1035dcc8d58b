//! What the cursors of event streams stand for.

use super::{AnyConn, StorageError, sql::sql};
use crate::model::{Timestamp, UserId, time::DAY};

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

/// Deletes what no client has been given for a day and more.
pub fn sweep(conn: &mut AnyConn) -> Result<(), StorageError> {
    sql!("DELETE FROM event_cursors WHERE created_at < ?", Timestamp::now().plus(-2 * DAY)).run(conn)?;
    Ok(())
}
