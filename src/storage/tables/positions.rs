//! Positions of messages, found by binary search: ids, sequence numbers and times of posting rise with them.

use crate::{
    core::model::{Chat, ChatId, MessageId, Pos, Seq, Timestamp},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Finds the chat and position of a message, tombstones included.
pub fn locate(conn: &mut AnyConn, id: MessageId) -> Result<Option<(ChatId, Pos)>, StorageError> {
    let row = sql!("SELECT chat_id, pos FROM message_ids WHERE id = ?", id);
    Ok(row.first(conn)?)
}

/// Returns the id of the message at a position.
pub fn id_at(conn: &mut AnyConn, chat: ChatId, pos: Pos) -> Result<Option<MessageId>, StorageError> {
    let row = sql!("SELECT id FROM messages WHERE chat_id = ? AND pos = ?", chat, pos);
    Ok(row.first::<MessageId>(conn)?)
}

/// Counts the messages of a chat with an id below `id`. The id need not belong to a message of the chat.
pub fn count_before(conn: &mut AnyConn, chat: &Chat, id: i64) -> Result<Pos, StorageError> {
    if let Some((place, pos)) = locate(conn, MessageId(id))?
        && place == chat.id
    {
        return Ok(pos - 1);
    }
    last_where((0, chat.last_pos), |pos| Ok(id_at(conn, chat.id, pos)?.is_some_and(|found| found.0 < id)))
}

/// Counts the messages that were posted up to change `seq`.
pub fn posted_up_to(conn: &mut AnyConn, chat: &Chat, seq: Seq) -> Result<Pos, StorageError> {
    // Each posting took a number of its own. So at most as many messages are newer as there were changes. A
    // client that is little behind makes this read few rows, all at the end of the chat.
    let newer = chat.seq.saturating_sub(seq);
    let first = chat.last_pos.saturating_sub(newer).clamp(0, chat.last_pos);
    // A message's sequence number is above its position, since the chat's creation took number 1.
    last_where((first, chat.last_pos.min(seq)), |pos| {
        let row = sql!("SELECT created_seq FROM messages WHERE chat_id = ? AND pos = ?", chat.id, pos);
        Ok(row.first::<Seq>(conn)?.is_some_and(|created| created <= seq))
    })
}

/// Counts the messages that were posted before a moment.
pub fn posted_before(conn: &mut AnyConn, chat: &Chat, moment: Timestamp) -> Result<Pos, StorageError> {
    last_where((0, chat.last_pos), |pos| {
        let row = sql!("SELECT created_at FROM messages WHERE chat_id = ? AND pos = ?", chat.id, pos);
        Ok(row.first::<Timestamp>(conn)?.is_some_and(|created| created < moment))
    })
}

/// Returns the last position after `low` and up to `high` for which `is_before` holds, or `low`.
fn last_where(
    (mut low, mut high): (Pos, Pos),
    mut is_before: impl FnMut(Pos) -> Result<bool, StorageError>,
) -> Result<Pos, StorageError> {
    while low < high {
        let middle = low + (high - low + 1) / 2;
        if is_before(middle)? {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}
