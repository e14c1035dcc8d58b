//! Purging: work that remains after a change has become visible, done in small steps that never block writers
//! for long. It removes the rows of deleted chats and the reactions of deleted messages, and hands over the
//! chats of deactivated admins. The remaining rows are invisible, and a restarted server continues.

use crate::storage::{
    AnyConn, StorageError,
    commands::{succession, uploads},
    db::{sql::sql, steps::delete_some},
    tables::{
        custom_values, drafts, follows, locks, members::clear_members, mentions, merged_guests,
        message_versions, pins, reactions, threads,
    },
};

/// Most messages removed per step.
const MESSAGES: i64 = 64;

/// Runs one step of the remaining work. Returns whether there is more to do.
pub fn step(conn: &mut AnyConn) -> Result<bool, StorageError> {
    Ok(succession::step(conn, None)? || reactions::clear_left(conn)? || clear_chat(conn)?)
}

/// Removes some rows of a deleted chat. Returns whether there was such a chat.
fn clear_chat(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let Some(chat) = locks::deleted_chat(conn)? else { return Ok(false) };
    if clear_members(conn, chat)? {
        return Ok(true);
    }
    if uploads::clear_chat(conn, chat)? {
        return Ok(true);
    }
    if delete_some!(conn, "reactions", "chat_id, message_id, emoji, user_id", "chat_id = ?", chat)? > 0 {
        return Ok(true);
    }
    let range = sql!(
        "SELECT max(pos) FROM (SELECT pos FROM messages WHERE chat_id = ? ORDER BY pos LIMIT ?) AS step",
        chat,
        MESSAGES
    );
    let last = range.one::<Option<i64>>(conn)?;
    let Some(last) = last else {
        if delete_some!(conn, "tombstone_counts", "chat_id, sender_id, level, block", "chat_id = ?", chat)?
            > 0
        {
            return Ok(true);
        }
        if delete_some!(conn, "sent_counts", "chat_id, sender_id, block", "chat_id = ?", chat)? > 0 {
            return Ok(true);
        }
        if threads::clear_chat(conn, chat)?
            || follows::clear_chat(conn, chat)?
            || mentions::clear_chat(conn, chat)?
            || message_versions::clear_chat(conn, chat)?
            || pins::clear_chat(conn, chat)?
            || drafts::clear_chat(conn, chat)?
            || merged_guests::clear_chat(conn, chat)?
        {
            return Ok(true);
        }
        custom_values::clear_of_chat(conn, chat)?;
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
