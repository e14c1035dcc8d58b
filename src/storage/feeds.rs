//! How many times each user was brought into a chat: whoever has heard of fewer has missed one.

use super::{AnyConn, StorageError, sql::sql};
use crate::model::{Feed, UserId};

/// Counts that users are brought into a chat, in the transaction that does it.
pub fn raise(conn: &mut AnyConn, users: &[UserId]) -> Result<Vec<(UserId, Feed)>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let rows = sql!("UPDATE users SET feed = feed + 1 WHERE id IN ? RETURNING id, feed", ids.as_slice());
    Ok(rows.rows::<(i64, i64)>(conn)?.into_iter().map(|(id, feed)| (UserId(id), feed)).collect())
}

/// The counts of users; those who do not exist have none.
pub fn of(conn: &mut AnyConn, users: &[UserId]) -> Result<Vec<(UserId, Feed)>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let rows = sql!("SELECT id, feed FROM users WHERE id IN ?", ids.as_slice());
    Ok(rows.rows::<(i64, i64)>(conn)?.into_iter().map(|(id, feed)| (UserId(id), feed)).collect())
}
