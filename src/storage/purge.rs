//! Doing in small steps what is left of a change that is seen at once, so that no writer waits for long: clearing out
//! deleted chats and the reactions of deleted messages, handing over the chats of who was shut out. Nobody sees what is left,
//! and whoever starts next goes on.

use super::{AnyConn, StorageError, locks, reactions, sql::sql, succession};
use crate::model::ChatId;

/// Most members or reactions removed in one step.
pub(super) const STEP: i64 = 200;

/// Most messages removed in one step.
const MESSAGES: i64 = 64;

/// Deletes some rows of a table whose key has several columns, and tells how many. PostgreSQL finds them by their places: it
/// may compare each row of the table with each of those that are meant.
macro_rules! delete_some {
    ($conn:expr, $table:literal, $key:literal, $which:literal, $($value:expr),+) => {
        match $conn {
            $crate::storage::AnyConn::Sqlite(_) => $crate::storage::sql::sql!(
                concat!(
                    "DELETE FROM ", $table, " WHERE ", $which, " AND (", $key, ") IN (SELECT ", $key, " FROM ", $table,
                    " WHERE ", $which, " LIMIT ?)"
                ),
                $($value,)+
                $($value,)+
                $crate::storage::purge::STEP
            )
            .run($conn),
            $crate::storage::AnyConn::Postgres(_) => $crate::storage::sql::sql!(
                concat!(
                    "DELETE FROM ", $table, " WHERE ctid = ANY (ARRAY (SELECT ctid FROM ", $table, " WHERE ", $which,
                    " LIMIT ?))"
                ),
                $($value,)+
                $crate::storage::purge::STEP
            )
            .run($conn),
        }
    };
}
pub(super) use delete_some;

/// Goes on with whatever is left. Returns whether there is more to do.
pub fn step(conn: &mut AnyConn) -> Result<bool, StorageError> {
    Ok(succession::step(conn, None)? || reactions::clear_left(conn)? || clear_chat(conn)?)
}

/// Removes some members of a deleted chat, those that had left it too. Returns whether there may be more.
pub(super) fn clear_members(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(delete_some!(conn, "members", "user_id", "chat_id = ?", chat)? as i64 == STEP)
}

/// Removes some rows of a deleted chat. Returns whether there was one.
fn clear_chat(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let Some(chat) = locks::deleted_chat(conn)? else { return Ok(false) };
    if clear_members(conn, chat)? {
        return Ok(true);
    }
    if delete_some!(conn, "reactions", "message_id, emoji, user_id", "chat_id = ?", chat)? > 0 {
        return Ok(true);
    }
    let range = sql!(
        "SELECT max(pos) FROM (SELECT pos FROM messages WHERE chat_id = ? ORDER BY pos LIMIT ?) AS step",
        chat,
        MESSAGES
    );
    let (last,) = range.one::<(Option<i64>,)>(conn)?;
    let Some(last) = last else {
        if delete_some!(conn, "tombstone_counts", "sender_id, level, block", "chat_id = ?", chat)? > 0 {
            return Ok(true);
        }
        sql!("DELETE FROM reactions_left WHERE chat_id = ?", chat).run(conn)?;
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
