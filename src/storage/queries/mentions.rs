//! The messages that mention a user in all chats, and the number of unread ones for many users of a chat.

use crate::{
    core::model::{ChatId, Message, MessageId, Seq, UserId},
    storage::{
        AnyConn, StorageError, StoragePolicy,
        db::sql::sql,
        tables::{chats, members, mentions::mentions_after, messages, positions},
    },
};

/// Returns the number of messages that mention a user, by name or with everyone, and a page of them with their readers,
/// newest first. `is_unread`: only those that are unread in the timeline, or in a thread that the user follows.
pub fn page(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    user: UserId,
    is_unread: bool,
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<Message>), StorageError> {
    let mut ids = if is_unread { unread(conn, user)? } else { all(conn, user)? };
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.dedup();
    let count = ids.len() as i64;
    let page: Vec<i64> = ids.into_iter().skip(skip as usize).take(limit as usize).map(|id| id.0).collect();
    let mut messages = if page.is_empty() { Vec::new() } else { messages::with_ids(conn, &page)? };
    messages.retain(|message| !message.is_deleted);
    for message in &mut messages {
        if let Some(chat) = chats::find(conn, message.chat)? {
            message.note_readers(&members::readers(conn, &chat, policy.receipts_max_members)?);
        }
    }
    Ok((count, messages))
}

/// Returns the messages that mention a user since the user's membership began.
fn all(conn: &mut AnyConn, user: UserId) -> Result<Vec<MessageId>, StorageError> {
    let rows = sql!(
        "SELECT e.message_id FROM members m JOIN chats c ON c.id = m.chat_id \
         JOIN mentions e ON e.chat_id = m.chat_id AND e.user_id IN (0, m.user_id) \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL \
         AND e.weight > 0 AND CASE WHEN e.lane > 0 THEN e.pos > m.from_pos ELSE e.created_seq > m.joined_seq END \
         AND NOT EXISTS ( \
            SELECT 1 FROM mentions x WHERE x.user_id = m.user_id AND x.lane = e.lane AND x.pos = e.pos AND x.weight < 0)",
        user
    );
    Ok(rows.rows(conn)?)
}

/// Returns those that are unread.
fn unread(conn: &mut AnyConn, user: UserId) -> Result<Vec<MessageId>, StorageError> {
    let mut ids = sql!(
        "SELECT e.message_id FROM members m JOIN chats c ON c.id = m.chat_id \
         JOIN mentions e ON e.lane = m.chat_id AND e.user_id IN (0, m.user_id) \
         AND e.pos > CASE WHEN m.unread_pos <= m.read_pos THEN m.unread_pos - 1 ELSE m.read_pos END \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL AND e.weight > 0 AND NOT EXISTS ( \
            SELECT 1 FROM mentions x WHERE x.user_id = m.user_id AND x.lane = e.lane AND x.pos = e.pos AND x.weight < 0)",
        user
    )
    .rows::<MessageId>(conn)?;
    let in_threads = sql!(
        "SELECT e.message_id FROM follows f JOIN members m ON m.chat_id = f.chat_id AND m.user_id = f.user_id \
         JOIN chats c ON c.id = f.chat_id \
         JOIN mentions e ON e.lane = -f.root_id AND e.user_id IN (0, f.user_id) AND e.pos > f.read_pos \
         WHERE f.user_id = ? AND f.is_followed AND m.left_seq IS NULL AND m.joined_seq = f.joined_seq \
         AND c.deleted_at IS NULL AND e.weight > 0 AND NOT EXISTS ( \
            SELECT 1 FROM mentions x WHERE x.user_id = f.user_id AND x.lane = e.lane AND x.pos = e.pos AND x.weight < 0)",
        user
    );
    ids.extend(in_threads.rows::<MessageId>(conn)?);
    Ok(ids)
}

/// Counts for each of these members the unread messages of a chat's timeline that mention the member, among those posted up
/// to change `seq`. In order of user id; users who are not members are omitted.
pub fn unread_of_members(
    conn: &mut AnyConn,
    chat: ChatId,
    seq: Seq,
    users: &[i64],
) -> Result<Vec<(UserId, i64)>, StorageError> {
    let Some(chat) = chats::find(conn, chat)? else { return Ok(Vec::new()) };
    let last = positions::posted_up_to(conn, &chat, seq)?.last;
    let rows = sql!(
        concat!(
            "SELECT p.user_id, ",
            mentions_after!("p.user_id", "p.chat_id", "p.after_pos"),
            " - ",
            mentions_after!("p.user_id", "p.chat_id", "p.last_pos"),
            " FROM (SELECT m.user_id, m.chat_id, CAST(? AS BIGINT) AS last_pos, \
                CASE WHEN m.unread_pos <= m.read_pos THEN m.unread_pos - 1 ELSE m.read_pos END AS after_pos \
                FROM members m WHERE m.chat_id = ? AND m.user_id IN ? AND m.left_seq IS NULL) p ORDER BY p.user_id"
        ),
        last,
        chat.id,
        users
    );
    let counts = rows.rows::<(UserId, i64)>(conn)?;
    // A member may have read further by now.
    Ok(counts.into_iter().map(|(user, count)| (user, count.max(0))).collect())
}
