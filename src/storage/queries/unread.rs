//! How many messages of others a member has not read: subtraction, corrected by own and deleted ones.

use crate::{
    core::model::{Chat, Pos, UserId},
    storage::{
        AnyConn, StorageError,
        tables::{messages, tombstones},
    },
};

/// The place after which a member's unread messages are counted: that of the read marker, or an earlier one before what
/// was made unread by hand.
pub fn counted_after(read_pos: Pos, unread_pos: Option<Pos>) -> Pos {
    unread_pos.map_or(read_pos, |pos| read_pos.min(pos - 1))
}

/// Messages of others after the place `after`, deleted ones not counted.
pub fn count(conn: &mut AnyConn, chat: &Chat, reader: UserId, after: Pos) -> Result<i64, StorageError> {
    if after >= chat.last_live_pos {
        return Ok(0);
    }
    let own = messages::sent_between(conn, chat.id, reader, after, chat.last_pos)?;
    count_without(conn, chat, reader, after, own)
}

/// The same where it is known how many messages after that place are the reader's own.
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
