//! Guests that are not removed yet: their last visit, and the token that each use prolongs.

use crate::{
    core::model::{Timestamp, TokenId, UserId, time::DAY},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// How long a guest's key is valid after the last use, in microseconds.
pub const KEY_LIFE: i64 = DAY;

/// How long after the last visit a guest is removed, in microseconds.
const REMOVED_AFTER: i64 = 30 * DAY;

/// Stores a new guest.
pub fn insert(conn: &mut AnyConn, user: UserId, token: TokenId) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO guests (user_id, token_id, visited_at) VALUES (?, ?, ?)",
        user,
        token,
        Timestamp::now()
    )
    .run(conn)?;
    Ok(())
}

/// Records a use of a guest's key, and prolongs the key. `key_hash`: the hash of the key. A use by another key changes
/// nothing.
pub fn record_visit(conn: &mut AnyConn, key_hash: &str, at: Timestamp) -> Result<(), StorageError> {
    let ends_at = at.plus(KEY_LIFE);
    let prolonged = sql!(
        "UPDATE tokens SET expires_at = ? WHERE key_hash = ? AND expires_at < ? \
         AND id = (SELECT g.token_id FROM guests g WHERE g.user_id = tokens.user_id)",
        ends_at,
        key_hash,
        ends_at
    )
    .run(conn)?;
    if prolonged > 0 {
        sql!(
            "UPDATE guests SET visited_at = ? \
             WHERE user_id = (SELECT t.user_id FROM tokens t WHERE t.key_hash = ?) AND visited_at < ?",
            at,
            key_hash,
            at
        )
        .run(conn)?;
    }
    Ok(())
}

/// Finds a guest whose last visit was long ago.
pub fn find_outdated(conn: &mut AnyConn) -> Result<Option<UserId>, StorageError> {
    let row = sql!(
        "SELECT user_id FROM guests WHERE visited_at < ? ORDER BY visited_at LIMIT 1",
        Timestamp::now().plus(-REMOVED_AFTER)
    );
    Ok(row.first(conn)?)
}

/// Removes a guest from the list. The user stays.
pub fn remove(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    sql!("DELETE FROM guests WHERE user_id = ?", user).run(conn)?;
    Ok(())
}
