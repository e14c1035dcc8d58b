//! Earlier texts of edited messages.

use crate::{
    core::model::{ChatId, Message, MessageId, Seq, Timestamp, history::EarlierText},
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::delete_some},
    },
};

/// Most earlier texts of a message. The oldest are removed.
const MAX_VERSIONS: i64 = 50;

/// Stores the text of a message that the edit with this sequence number replaces.
pub fn add(conn: &mut AnyConn, before: &Message, seq: Seq) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO message_versions (chat_id, message_id, seq, content, written_at) VALUES (?, ?, ?, ?, ?)",
        before.chat,
        before.id,
        seq,
        &before.content,
        before.updated_at
    )
    .run(conn)?;
    sql!(
        "DELETE FROM message_versions WHERE chat_id = ? AND message_id = ? AND seq <= (SELECT seq FROM message_versions \
         WHERE chat_id = ? AND message_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)",
        before.chat,
        before.id,
        before.chat,
        before.id,
        MAX_VERSIONS
    )
    .run(conn)?;
    Ok(())
}

/// Returns the earlier texts of a message, newest first.
pub fn of(conn: &mut AnyConn, chat: ChatId, message: MessageId) -> Result<Vec<EarlierText>, StorageError> {
    let rows = sql!(
        "SELECT content, written_at FROM message_versions WHERE chat_id = ? AND message_id = ? ORDER BY seq DESC",
        chat,
        message
    )
    .rows::<(String, Timestamp)>(conn)?;
    Ok(rows.into_iter().map(|(content, at)| EarlierText { content, at }).collect())
}

/// Removes the earlier texts of a message that is deleted.
pub fn clear(conn: &mut AnyConn, chat: ChatId, message: MessageId) -> Result<(), StorageError> {
    sql!("DELETE FROM message_versions WHERE chat_id = ? AND message_id = ?", chat, message).run(conn)?;
    Ok(())
}

/// Removes some rows of a deleted chat. Returns whether there were any.
pub fn clear_chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(delete_some!(conn, "message_versions", "chat_id, message_id, seq", "chat_id = ?", chat)? > 0)
}
