//! Join counts: how many times each user was added to a chat. A node that knows a lower count has missed an
//! event.

use crate::{
    core::model::{JoinCount, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Raises the join counts of users, in the transaction that adds them to a chat. Returns the new counts.
pub fn raise(conn: &mut AnyConn, users: &[UserId]) -> Result<Vec<(UserId, JoinCount)>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let rows = match conn {
        AnyConn::Sqlite(_) => {
            sql!("UPDATE users SET feed = feed + 1 WHERE id IN ? RETURNING id, feed", ids.as_slice())
                .rows(conn)
        }
        // By id, the lock order of all transactions.
        AnyConn::Postgres(_) => sql!(
            "WITH locked AS (SELECT id FROM users WHERE id IN ? ORDER BY id FOR NO KEY UPDATE) \
             UPDATE users u SET feed = u.feed + 1 FROM locked WHERE u.id = locked.id RETURNING u.id, u.feed",
            ids.as_slice()
        )
        .rows(conn),
    };
    Ok(rows?)
}

/// Loads the join counts of users. Unknown users are left out.
pub fn of(conn: &mut AnyConn, users: &[UserId]) -> Result<Vec<(UserId, JoinCount)>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let rows = sql!("SELECT id, feed FROM users WHERE id IN ?", ids.as_slice());
    Ok(rows.rows::<(UserId, i64)>(conn)?)
}
