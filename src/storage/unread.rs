//! How many messages of others a member has not read: subtraction, corrected by own and deleted ones.

use super::{AnyConn, StorageError, messages, tombstones};
use crate::model::{Chat, Pos, UserId};

/// Messages of others after the place `read_pos`, deleted ones not counted.
pub fn count(conn: &mut AnyConn, chat: &Chat, reader: UserId, read_pos: Pos) -> Result<i64, StorageError> {
    if read_pos >= chat.last_live_pos {
        return Ok(0);
    }
    let own = messages::sent_up_to(conn, chat.id, reader, chat.last_pos)?;
    let own_after = if own == 0 { 0 } else { own - messages::sent_up_to(conn, chat.id, reader, read_pos)? };
    let deleted = tombstones::of_others_after(conn, chat, reader, read_pos)?;
    Ok(chat.last_pos - read_pos - own_after - deleted)
}
