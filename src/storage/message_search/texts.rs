//! Reads the texts of messages for search.

use std::ops::{Range, RangeInclusive};

use crate::{
    core::model::{ChatId, Pos, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// The id of a message, its chat and its text.
pub(super) type Text = (i64, i64, String);

/// Returns the first texts in a range of ids, in ascending order. The text of a deleted message is empty.
pub(super) fn first(conn: &mut AnyConn, ids: Range<i64>, limit: i64) -> Result<Vec<Text>, StorageError> {
    let rows = sql!(
        "SELECT i.id, i.chat_id, m.content FROM message_ids i \
         JOIN messages m ON m.chat_id = i.chat_id AND m.pos = i.pos \
         WHERE i.id >= ? AND i.id < ? ORDER BY i.id LIMIT ?",
        ids.start,
        ids.end,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Returns texts by id, the newest first.
pub(super) fn with_ids(conn: &mut AnyConn, ids: &[i64]) -> Result<Vec<Text>, StorageError> {
    let rows = sql!(
        "SELECT i.id, i.chat_id, m.content FROM message_ids i \
         JOIN messages m ON m.chat_id = i.chat_id AND m.pos = i.pos WHERE i.id IN ? ORDER BY i.id DESC",
        ids
    );
    Ok(rows.rows(conn)?)
}

/// Returns the lowest of the `count` newest ids in a range; `None` where there are none.
pub(super) fn first_of_newest(
    conn: &mut AnyConn,
    ids: Range<i64>,
    count: i64,
) -> Result<Option<i64>, StorageError> {
    let row = sql!(
        "SELECT min(id) FROM (SELECT id FROM message_ids WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?) AS newest",
        ids.start,
        ids.end,
        count
    );
    Ok(row.one::<Option<i64>>(conn)?)
}

/// Returns the newest texts in a range of ids among the chats of a user, the newest first.
pub(super) fn newest_of_user(
    conn: &mut AnyConn,
    user: UserId,
    ids: Range<i64>,
    limit: i64,
) -> Result<Vec<Text>, StorageError> {
    // SQLite executes cross joins in the order in which they are written.
    let rows = sql!(
        "SELECT i.id, i.chat_id, m.content FROM message_ids i CROSS JOIN members o CROSS JOIN chats c \
         CROSS JOIN messages m \
         WHERE i.id >= ? AND i.id < ? AND o.chat_id = i.chat_id AND o.user_id = ? AND o.left_seq IS NULL \
         AND c.id = i.chat_id AND c.deleted_at IS NULL AND m.chat_id = i.chat_id AND m.pos = i.pos ORDER BY i.id DESC LIMIT ?",
        ids.start,
        ids.end,
        user,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Returns the newest texts in a range of positions of a chat, the newest first.
pub(super) fn newest_of_chat(
    conn: &mut AnyConn,
    chat: ChatId,
    places: RangeInclusive<Pos>,
    limit: i64,
) -> Result<Vec<Text>, StorageError> {
    let rows = sql!(
        "SELECT id, chat_id, content FROM messages WHERE chat_id = ? AND pos >= ? AND pos <= ? \
         ORDER BY pos DESC LIMIT ?",
        chat,
        *places.start(),
        *places.end(),
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Returns the newest texts among the replies of a chat that are only in threads, the newest first. `numbers`: of the
/// replies, from 1.
pub(super) fn newest_replies(
    conn: &mut AnyConn,
    chat: ChatId,
    numbers: RangeInclusive<i64>,
    limit: i64,
) -> Result<Vec<Text>, StorageError> {
    let rows = sql!(
        "SELECT id, chat_id, content FROM messages WHERE chat_id = ? AND pos >= ? AND pos <= ? ORDER BY pos LIMIT ?",
        chat,
        -numbers.end(),
        -numbers.start(),
        limit
    );
    Ok(rows.rows(conn)?)
}
