//! Blocks between users.
//!
//! Whether a user is blocked in a dm is part of the authorization query: see `membership`.

use super::{dm_partners, locks, rows::CardRow, users};
use crate::{
    core::model::{Refusal, Timestamp, UserCard, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Removes a block. Idempotent.
pub fn unblock(conn: &mut AnyConn, blocker: UserId, blocked: UserId) -> Result<(), StorageError> {
    sql!("DELETE FROM blocks WHERE blocker_id = ? AND blocked_id = ?", blocker, blocked).run(conn)?;
    Ok(())
}

/// Moves the blocks of a guest to a user, and copies those of the guest's dm partners.
pub fn copy(conn: &mut AnyConn, guest: UserId, user: UserId) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO blocks (blocker_id, blocked_id, created_at) \
         SELECT ?, blocked_id, created_at FROM blocks WHERE blocker_id = ? AND blocked_id <> ? ON CONFLICT DO NOTHING",
        user,
        guest,
        user
    )
    .run(conn)?;
    sql!("DELETE FROM blocks WHERE blocker_id = ?", guest).run(conn)?;
    for (_, partner) in dm_partners::of(conn, &[guest])? {
        if partner != user && has_blocked(conn, partner, guest)? {
            sql!(
                "INSERT INTO blocks (blocker_id, blocked_id, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                partner,
                user,
                Timestamp::now()
            )
            .run(conn)?;
        }
    }
    Ok(())
}

/// Refuses a new dm if `other` has blocked `user`. Locks both users, so that this holds until the transaction
/// ends.
pub fn expect_no_block(conn: &mut AnyConn, user: UserId, other: UserId) -> Result<(), StorageError> {
    // Both join a new chat, so both are locked, in the lock order of all transactions.
    locks::user(conn, user.min(other))?;
    locks::user(conn, user.max(other))?;
    if has_blocked(conn, other, user)? { Err(Refusal::Forbidden.into()) } else { Ok(()) }
}

/// Returns whether `blocker` has blocked `user`.
pub(crate) fn has_blocked(conn: &mut AnyConn, blocker: UserId, user: UserId) -> Result<bool, StorageError> {
    let row = sql!("SELECT created_at FROM blocks WHERE blocker_id = ? AND blocked_id = ?", blocker, user);
    Ok(row.first::<i64>(conn)?.is_some())
}

/// Refuses to add `others` to a chat if one of them has blocked `user`. Staff may add anyone. Locks `others`,
/// so that this holds until the transaction ends.
pub fn expect_none(conn: &mut AnyConn, user: UserId, others: &[UserId]) -> Result<(), StorageError> {
    locks::users(conn, others)?;
    let ids: Vec<i64> = others.iter().map(|other| other.0).collect();
    let row = match conn {
        AnyConn::Sqlite(_) => {
            let ids = ids.as_slice();
            sql!("SELECT 1 FROM blocks WHERE blocked_id = ? AND blocker_id IN ? LIMIT 1", user, ids)
                .first::<i64>(conn)?
        }
        // One key lookup for each of them, however many users have blocked this one.
        AnyConn::Postgres(_) => sql!(
            "SELECT b.blocker_id FROM unnest(?) AS other (id) CROSS JOIN LATERAL \
             (SELECT blocker_id FROM blocks WHERE blocker_id = other.id AND blocked_id = ? LIMIT 1) b LIMIT 1",
            ids,
            user
        )
        .first(conn)?,
    };
    if row.is_some() && !users::is_staff(conn, user)? { Err(Refusal::Forbidden.into()) } else { Ok(()) }
}

/// Loads a page of the users that `blocker` has blocked, latest first, and their total number.
pub fn page(
    conn: &mut AnyConn,
    blocker: UserId,
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<UserCard>), StorageError> {
    let count = sql!("SELECT count(*) FROM blocks WHERE blocker_id = ?", blocker).one::<i64>(conn)?;
    let rows = sql!(
        "SELECT {} FROM (SELECT created_at, blocked_id FROM blocks WHERE blocker_id = ? \
            ORDER BY created_at DESC, blocked_id DESC LIMIT ? OFFSET ?) AS b \
         JOIN users u ON u.id = b.blocked_id ORDER BY b.created_at DESC, b.blocked_id DESC",
        blocker,
        limit,
        skip
    )
    .rows::<CardRow>(conn)?;
    Ok((count, rows.into_iter().map(UserCard::from).collect()))
}
