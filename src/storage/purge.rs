//! Clearing out deleted chats in small steps, so that no writer waits for long.

use super::{AnyConn, StorageError, locks, sql::sql};

/// Most reactions, and then messages, removed in one step.
const STEP: i64 = 500;

/// Removes some rows of a deleted chat. Returns whether there is more to do.
pub fn step(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let Some(chat) = locks::deleted_chat(conn)? else { return Ok(false) };
    let reactions = sql!(
        "DELETE FROM reactions WHERE chat_id = ? AND (message_id, emoji, user_id) IN \
         (SELECT message_id, emoji, user_id FROM reactions WHERE chat_id = ? LIMIT ?)",
        chat,
        chat,
        STEP
    );
    if reactions.run(conn)? > 0 {
        return Ok(true);
    }
    let range = sql!(
        "SELECT max(pos) FROM (SELECT pos FROM messages WHERE chat_id = ? ORDER BY pos LIMIT ?) AS step",
        chat,
        STEP
    );
    let (last,) = range.one::<(Option<i64>,)>(conn)?;
    let Some(last) = last else {
        sql!("DELETE FROM tombstone_counts WHERE chat_id = ?", chat).run(conn)?;
        sql!("DELETE FROM chats WHERE id = ?", chat).run(conn)?;
        return Ok(true);
    };
    sql!(
        "DELETE FROM message_ids WHERE id IN (SELECT id FROM messages WHERE chat_id = ? AND pos <= ?)",
        chat,
        last
    )
    .run(conn)?;
    sql!("DELETE FROM messages WHERE chat_id = ? AND pos <= ?", chat, last).run(conn)?;
    Ok(true)
}
