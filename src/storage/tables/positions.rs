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

/// Returns the number of the change that posted the message at a position; 0 if there is none.
pub fn created_seq(conn: &mut AnyConn, chat: ChatId, pos: Pos) -> Result<Seq, StorageError> {
    let row = sql!("SELECT created_seq FROM messages WHERE chat_id = ? AND pos = ?", chat, pos);
    Ok(row.first::<Seq>(conn)?.unwrap_or(0))
}

/// Counts the messages of a chat's timeline with an id below `id`. The id need not belong to one of them.
pub fn count_before(conn: &mut AnyConn, chat: &Chat, id: i64) -> Result<Pos, StorageError> {
    if let Some((place, pos)) = locate(conn, MessageId(id))?
        && place == chat.id
        && pos > 0
    {
        return Ok(pos - 1);
    }
    last_where((0, chat.last_pos), |pos| Ok(id_at(conn, chat.id, pos)?.is_some_and(|found| found.0 < id)))
}

/// Numbers of messages posted up to a change.
#[derive(Debug, Clone, Copy)]
pub struct PostedUpTo {
    /// Those in the timeline: also the last position.
    pub last: Pos,
    /// Those that are only in threads.
    pub replies: i64,
}

/// Counts the messages that were posted up to change `seq`.
pub fn posted_up_to(conn: &mut AnyConn, chat: &Chat, seq: Seq) -> Result<PostedUpTo, StorageError> {
    let last = posted_on_side(conn, chat, (chat.last_pos, 1), seq)?;
    let replies = posted_on_side(conn, chat, (chat.reply_count, -1), seq)?;
    Ok(PostedUpTo { last, replies })
}

/// Counts the messages posted up to change `seq` among those of the timeline, or among those that are only in
/// threads. `sign`: of their positions.
fn posted_on_side(
    conn: &mut AnyConn,
    chat: &Chat,
    (count, sign): (i64, i64),
    seq: Seq,
) -> Result<i64, StorageError> {
    // Each posting took a number of its own. So at most as many messages are newer as there were changes. A
    // client that is little behind makes this read few rows, all at the end of the chat.
    let newer = chat.seq.saturating_sub(seq);
    let first = count.saturating_sub(newer).clamp(0, count);
    // A message's sequence number is above its position, since the chat's creation took number 1.
    last_where((first, count.min(seq)), |pos| {
        let row = sql!("SELECT created_seq FROM messages WHERE chat_id = ? AND pos = ?", chat.id, sign * pos);
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

/// Counts the messages of a chat that are only in threads and have an id below `id`.
pub fn count_replies_before(conn: &mut AnyConn, chat: &Chat, id: i64) -> Result<i64, StorageError> {
    last_where((0, chat.reply_count), |count| {
        Ok(id_at(conn, chat.id, -count)?.is_some_and(|found| found.0 < id))
    })
}

/// Returns the last position after `low` and up to `high` for which `is_before` holds, or `low`.
pub(super) fn last_where(
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
