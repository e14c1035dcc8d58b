//! Unread counts: other users' messages that a member has not read. Computed by subtraction of positions,
//! less own and deleted messages.

use crate::{
    core::model::{Chat, Pos, UserId},
    storage::{
        AnyConn, StorageError,
        tables::{sent_counts, tombstones},
    },
};

/// Returns the position after which a member's unread messages are counted. It is the read marker, or the
/// message before a manual unread mark if that is earlier.
pub fn counted_after(read_pos: Pos, unread_pos: Option<Pos>) -> Pos {
    unread_pos.map_or(read_pos, |pos| read_pos.min(pos - 1))
}

/// Counts other users' messages after position `after`, without deleted ones.
pub fn count(conn: &mut AnyConn, chat: &Chat, reader: UserId, after: Pos) -> Result<i64, StorageError> {
    if after >= chat.last_live_pos {
        return Ok(0);
    }
    let own = sent_counts::between(conn, chat.id, reader, after, chat.last_pos)?;
    count_without(conn, chat, reader, after, own)
}

/// Counts other users' messages after position `after`, given the number of the reader's own messages there.
pub fn count_without(
    conn: &mut AnyConn,
    chat: &Chat,
    reader: UserId,
    after: Pos,
    own: i64,
) -> Result<i64, StorageError> {
    if after >= chat.last_live_pos {
        return Ok(0);
    }
    let deleted = tombstones::of_others_after(conn, chat, reader, after)?;
    Ok(chat.last_pos - after - own - deleted)
}
