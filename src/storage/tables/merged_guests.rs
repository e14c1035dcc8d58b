//! Guests that became users with an account, and the chats whose messages were handed over.

use crate::{
    core::model::{ChatId, Seq, UserId},
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::delete_some},
    },
};

/// Stores that a guest became a user. `key_hash`: the hash of the guest's key.
pub fn insert(conn: &mut AnyConn, guest: UserId, user: UserId, key_hash: &str) -> Result<(), StorageError> {
    sql!("INSERT INTO merged_guests (guest_id, user_id, key_hash) VALUES (?, ?, ?)", guest, user, key_hash)
        .run(conn)?;
    Ok(())
}

/// Finds the guest of a key, and the user that the guest became.
pub fn by_key(conn: &mut AnyConn, key_hash: &str) -> Result<Option<(UserId, UserId)>, StorageError> {
    Ok(sql!("SELECT guest_id, user_id FROM merged_guests WHERE key_hash = ?", key_hash).first(conn)?)
}

/// Returns the user that a guest became.
pub fn user_of(conn: &mut AnyConn, guest: UserId) -> Result<Option<UserId>, StorageError> {
    Ok(sql!("SELECT user_id FROM merged_guests WHERE guest_id = ?", guest).first(conn)?)
}

/// Returns whether messages of a chat were handed over.
pub fn is_chat_merged(conn: &mut AnyConn, chat: ChatId, guest: UserId) -> Result<bool, StorageError> {
    let row = sql!("SELECT seq FROM chat_merges WHERE chat_id = ? AND guest_id = ?", chat, guest);
    Ok(row.first::<Seq>(conn)?.is_some())
}

/// Stores that messages of a chat were handed over, as its latest change.
pub fn record_chat(
    conn: &mut AnyConn,
    chat: ChatId,
    (guest, user): (UserId, UserId),
    seq: Seq,
) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO chat_merges (chat_id, guest_id, user_id, seq) VALUES (?, ?, ?, ?) \
         ON CONFLICT (chat_id, guest_id) DO UPDATE SET seq = excluded.seq",
        chat,
        guest,
        user,
        seq
    )
    .run(conn)?;
    Ok(())
}

/// Returns the handovers in a chat after change `since`: the guest, the user and the sequence number of each.
pub fn since(
    conn: &mut AnyConn,
    chat: ChatId,
    since: Seq,
    limit: i64,
) -> Result<Vec<(UserId, UserId, Seq)>, StorageError> {
    let rows = sql!(
        "SELECT guest_id, user_id, seq FROM chat_merges WHERE chat_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        chat,
        since,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Removes some of the rows of a deleted chat. Returns whether there were any.
pub(crate) fn clear_chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(delete_some!(conn, "chat_merges", "guest_id", "chat_id = ?", chat)? > 0)
}
