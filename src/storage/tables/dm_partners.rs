//! Dm partners, and when users were last seen.

use crate::{
    core::model::{Timestamp, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Finds the dm partners of `users`, as pairs of a user and a partner.
pub fn of(conn: &mut AnyConn, users: &[UserId]) -> Result<Vec<(UserId, UserId)>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let ids = ids.as_slice();
    let higher = sql!("SELECT low_id, high_id FROM dm_pairs WHERE low_id IN ? AND low_id <> high_id", ids)
        .rows::<(UserId, UserId)>(conn)?;
    let lower = sql!("SELECT high_id, low_id FROM dm_pairs WHERE high_id IN ? AND low_id <> high_id", ids)
        .rows(conn)?;
    Ok(higher.into_iter().chain(lower).collect())
}

/// Stores when users were last seen.
pub fn seen(conn: &mut AnyConn, users: &[(UserId, Timestamp)]) -> Result<(), StorageError> {
    let mut users = users.to_vec();
    // By id, the lock order of all transactions.
    users.sort_unstable_by_key(|(user, _)| *user);
    for (user, at) in &users {
        sql!("UPDATE users SET last_seen = ? WHERE id = ?", *at, *user).run(conn)?;
    }
    Ok(())
}

/// Loads when a user's dm partners were last seen. Leaves out partners that never were.
pub fn last_seen(conn: &mut AnyConn, user: UserId) -> Result<Vec<(UserId, Timestamp)>, StorageError> {
    let ids: Vec<i64> = of(conn, &[user])?.into_iter().map(|(_, partner)| partner.0).collect();
    let rows =
        sql!("SELECT id, last_seen FROM users WHERE id IN ? AND last_seen IS NOT NULL", ids.as_slice());
    Ok(rows.rows(conn)?)
}
