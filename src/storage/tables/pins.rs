//! Pinned messages of chats. A row stays when its message is unpinned, so that clients that catch up learn it.

use crate::{
    core::model::{ChatId, MessageId, Seq},
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::delete_some},
    },
};

/// Counts the pinned messages of a chat.
pub fn count(conn: &mut AnyConn, chat: ChatId) -> Result<i64, StorageError> {
    Ok(sql!("SELECT count(*) FROM pins WHERE chat_id = ? AND is_pinned", chat).one(conn)?)
}

/// Returns whether a message is pinned.
pub fn is_pinned(conn: &mut AnyConn, chat: ChatId, message: MessageId) -> Result<bool, StorageError> {
    let row = sql!("SELECT is_pinned FROM pins WHERE chat_id = ? AND message_id = ?", chat, message);
    Ok(row.first::<bool>(conn)?.unwrap_or(false))
}

/// Pins or unpins a message, as the chat's latest change.
pub fn set(
    conn: &mut AnyConn,
    chat: ChatId,
    message: MessageId,
    is_pinned: bool,
    seq: Seq,
) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO pins (chat_id, message_id, seq, is_pinned) VALUES (?, ?, ?, ?) \
         ON CONFLICT (chat_id, message_id) DO UPDATE SET seq = excluded.seq, is_pinned = excluded.is_pinned",
        chat,
        message,
        seq,
        is_pinned
    )
    .run(conn)?;
    Ok(())
}

/// Returns the pinned messages of a chat, the one pinned last first.
pub fn all(conn: &mut AnyConn, chat: ChatId) -> Result<Vec<MessageId>, StorageError> {
    let rows = sql!("SELECT message_id FROM pins WHERE chat_id = ? AND is_pinned ORDER BY seq DESC", chat);
    Ok(rows.rows(conn)?)
}

/// A message that was pinned or unpinned, with the sequence number of that.
pub type PinChange = (MessageId, Seq, bool);

/// Returns the messages that were pinned or unpinned after change `since`, as they are now.
pub fn changed(
    conn: &mut AnyConn,
    chat: ChatId,
    since: Seq,
    limit: i64,
) -> Result<Vec<PinChange>, StorageError> {
    let rows = sql!(
        "SELECT message_id, seq, is_pinned FROM pins WHERE chat_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        chat,
        since,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Removes some rows of a deleted chat. Returns whether there were any.
pub fn clear_chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(delete_some!(conn, "pins", "chat_id, message_id", "chat_id = ?", chat)? > 0)
}
