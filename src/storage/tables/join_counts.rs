//! How many times each user was brought into a chat: whoever has heard of fewer has missed one.

use crate::{
    core::model::{Feed, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Counts that users are brought into a chat, in the transaction that does it.
pub fn raise(conn: &mut AnyConn, users: &[UserId]) -> Result<Vec<(UserId, Feed)>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let rows = match conn {
        AnyConn::Sqlite(_) => {
            sql!("UPDATE users SET feed = feed + 1 WHERE id IN ? RETURNING id, feed", ids.as_slice())
                .rows(conn)
        }
        // In the order in which everybody locks them.
        AnyConn::Postgres(_) => sql!(
            "WITH locked AS (SELECT id FROM users WHERE id IN ? ORDER BY id FOR NO KEY UPDATE) \
             UPDATE users u SET feed = u.feed + 1 FROM locked WHERE u.id = locked.id RETURNING u.id, u.feed",
            ids.as_slice()
        )
        .rows(conn),
    };
    let rows: Vec<(i64, i64)> = rows?;
    Ok(rows.into_iter().map(|(id, feed)| (UserId(id), feed)).collect())
}

/// The counts of users; those who do not exist have none.
pub fn of(conn: &mut AnyConn, users: &[UserId]) -> Result<Vec<(UserId, Feed)>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let rows = sql!("SELECT id, feed FROM users WHERE id IN ?", ids.as_slice());
    Ok(rows.rows::<(i64, i64)>(conn)?.into_iter().map(|(id, feed)| (UserId(id), feed)).collect())
}
