//! Threads: their heads, their replies by position, and the users who replied.

use std::ops::RangeInclusive;

use crate::{
    core::model::{ChatId, Lane, Message, MessageId, Pos, Seq, Timestamp, UserId, threads::Thread},
    storage::{
        AnyConn, StorageError,
        db::{
            row::row,
            sql::sql,
            steps::{STEP, delete_some},
        },
        tables::{mentions, positions, sent_counts::BLOCK},
    },
};

row! {
    /// The head of a thread.
    pub(crate) struct ThreadRow from threads t {
        root_id: MessageId,
        chat_id: ChatId,
        last_pos: Pos,
        last_live_pos: Pos,
        last_reply_id: MessageId,
        last_sender_id: UserId,
        deleted_count: i64,
    }
}

impl From<ThreadRow> for Thread {
    fn from(row: ThreadRow) -> Self {
        Self {
            root: row.root_id,
            chat: row.chat_id,
            last_pos: row.last_pos,
            last_live_pos: row.last_live_pos,
            last_reply: row.last_reply_id,
            last_sender: row.last_sender_id,
            deleted_count: row.deleted_count,
        }
    }
}

/// Loads the head of a thread; `None` before the first reply and the first follow.
pub fn find(conn: &mut AnyConn, root: MessageId) -> Result<Option<Thread>, StorageError> {
    let row = sql!("SELECT {} FROM threads t WHERE t.root_id = ?", root);
    Ok(row.first::<ThreadRow>(conn)?.map(Thread::from))
}

/// Stores the head of a thread.
pub fn put(conn: &mut AnyConn, thread: &Thread) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO threads (root_id, chat_id, last_pos, last_live_pos, last_reply_id, last_sender_id, deleted_count) \
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root_id) DO UPDATE SET last_pos = excluded.last_pos, \
         last_live_pos = excluded.last_live_pos, last_reply_id = excluded.last_reply_id, \
         last_sender_id = excluded.last_sender_id, deleted_count = excluded.deleted_count",
        thread.root,
        thread.chat,
        thread.last_pos,
        thread.last_live_pos,
        thread.last_reply,
        thread.last_sender,
        thread.deleted_count
    )
    .run(conn)?;
    Ok(())
}

/// Inserts a reply at a position of its thread.
pub fn insert_reply(
    conn: &mut AnyConn,
    root: MessageId,
    pos: Pos,
    reply: &Message,
) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO thread_replies (root_id, pos, id, chat_pos, sender_id, is_deleted) VALUES (?, ?, ?, ?, ?, FALSE)",
        root,
        pos,
        reply.id,
        reply.pos,
        reply.sender.id
    )
    .run(conn)?;
    Ok(())
}

/// Stores that the reply at a position is deleted.
pub fn mark_deleted(conn: &mut AnyConn, root: MessageId, pos: Pos) -> Result<(), StorageError> {
    sql!("UPDATE thread_replies SET is_deleted = TRUE WHERE root_id = ? AND pos = ?", root, pos).run(conn)?;
    Ok(())
}

/// Counts the replies of a thread with an id below `id`. The id need not belong to one of them.
pub fn count_before(conn: &mut AnyConn, thread: &Thread, id: i64) -> Result<i64, StorageError> {
    positions::last_where((0, thread.last_pos), |pos| {
        Ok(reply_at(conn, thread.root, pos)?.is_some_and(|(found, _)| found.0 < id))
    })
}

/// Returns the position of a reply in its thread; `None` if it is not in this thread.
pub fn pos_of(conn: &mut AnyConn, thread: &Thread, reply: MessageId) -> Result<Option<Pos>, StorageError> {
    let pos = count_before(conn, thread, reply.0)? + 1;
    Ok(reply_at(conn, thread.root, pos)?.filter(|(found, _)| *found == reply).map(|_| pos))
}

/// Returns the id and the sender of the reply at a position.
pub fn reply_at(
    conn: &mut AnyConn,
    root: MessageId,
    pos: Pos,
) -> Result<Option<(MessageId, UserId)>, StorageError> {
    let row = sql!("SELECT id, sender_id FROM thread_replies WHERE root_id = ? AND pos = ?", root, pos);
    Ok(row.first(conn)?)
}

/// Counts the replies of a thread that were posted up to change `seq` of its chat.
pub fn posted_up_to(conn: &mut AnyConn, thread: &Thread, seq: Seq) -> Result<i64, StorageError> {
    positions::last_where((0, thread.last_pos), |pos| {
        let row = sql!(
            "SELECT m.created_seq FROM thread_replies r JOIN messages m ON m.chat_id = ? AND m.pos = r.chat_pos \
             WHERE r.root_id = ? AND r.pos = ?",
            thread.chat,
            thread.root,
            pos
        );
        Ok(row.first::<Seq>(conn)?.is_some_and(|created| created <= seq))
    })
}

/// Returns when the reply with this id was posted.
pub fn posted_at(conn: &mut AnyConn, reply: MessageId) -> Result<Option<Timestamp>, StorageError> {
    let row = sql!(
        "SELECT m.created_at FROM message_ids i JOIN messages m ON m.chat_id = i.chat_id AND m.pos = i.pos WHERE i.id = ?",
        reply
    );
    Ok(row.first(conn)?)
}

/// Adds a participant with the position of the first reply. Returns whether the user was none.
pub fn add_participant(
    conn: &mut AnyConn,
    root: MessageId,
    user: UserId,
    first: Pos,
) -> Result<bool, StorageError> {
    let added = sql!(
        "INSERT INTO thread_participants (root_id, user_id, first_pos) VALUES (?, ?, ?) \
         ON CONFLICT (root_id, user_id) DO UPDATE SET first_pos = excluded.first_pos WHERE thread_participants.first_pos = 0",
        root,
        user,
        first
    );
    Ok(added.run(conn)? > 0)
}

/// Returns the position of a sender's first reply that is not deleted; 0 if all are, `None` if there are none.
pub fn first_of(conn: &mut AnyConn, root: MessageId, user: UserId) -> Result<Option<Pos>, StorageError> {
    let row = sql!("SELECT first_pos FROM thread_participants WHERE root_id = ? AND user_id = ?", root, user);
    Ok(row.first(conn)?)
}

/// Stores the position of a sender's first reply that is not deleted; 0 if all are.
pub fn set_first(conn: &mut AnyConn, root: MessageId, user: UserId, first: Pos) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO thread_participants (root_id, user_id, first_pos) VALUES (?, ?, ?) \
         ON CONFLICT (root_id, user_id) DO UPDATE SET first_pos = excluded.first_pos",
        root,
        user,
        first
    )
    .run(conn)?;
    Ok(())
}

/// Removes a sender whose replies are another one's now.
pub fn remove_participant(conn: &mut AnyConn, root: MessageId, user: UserId) -> Result<(), StorageError> {
    sql!("DELETE FROM thread_participants WHERE root_id = ? AND user_id = ?", root, user).run(conn)?;
    Ok(())
}

/// Returns the first participants, by their first reply.
pub fn participants(conn: &mut AnyConn, root: MessageId, limit: i64) -> Result<Vec<UserId>, StorageError> {
    let rows = sql!(
        "SELECT user_id FROM thread_participants WHERE root_id = ? AND first_pos > 0 ORDER BY first_pos, user_id LIMIT ?",
        root,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Finds a sender's first reply after `pos` that is not deleted, block by block.
pub fn next_of(
    conn: &mut AnyConn,
    thread: &Thread,
    sender: UserId,
    pos: Pos,
) -> Result<Option<Pos>, StorageError> {
    let mut start = pos + 1;
    while start <= thread.last_pos {
        let end = (start / BLOCK + 1) * BLOCK;
        let row = sql!(
            "SELECT pos FROM thread_replies WHERE root_id = ? AND pos >= ? AND pos < ? AND sender_id = ? \
             AND NOT is_deleted ORDER BY pos LIMIT 1",
            thread.root,
            start,
            end,
            sender
        );
        if let Some(found) = row.first::<Pos>(conn)? {
            return Ok(Some(found));
        }
        start = end;
        // The next complete block with a reply of the sender. The last one has no count yet.
        let next = sql!(
            "SELECT block FROM sent_counts WHERE chat_id = ? AND sender_id = ? AND block >= ? ORDER BY block LIMIT 1",
            -thread.root.0,
            sender,
            start / BLOCK
        );
        let unfinished = (thread.last_pos + 1) / BLOCK * BLOCK;
        start = next.first::<i64>(conn)?.map_or(start.max(unfinished), |block| block * BLOCK);
    }
    Ok(None)
}

/// Finds a thread of a chat with replies of a sender.
pub fn with_sender(conn: &mut AnyConn, chat: ChatId, sender: UserId) -> Result<Option<Thread>, StorageError> {
    let row = sql!(
        "SELECT {} FROM thread_participants p JOIN threads t ON t.root_id = p.root_id \
         WHERE p.user_id = ? AND t.chat_id = ? ORDER BY p.root_id LIMIT 1",
        sender,
        chat
    );
    Ok(row.first::<ThreadRow>(conn)?.map(Thread::from))
}

/// A reply by its positions in the thread and in its chat, and whether it is deleted.
pub type Sent = (Pos, Pos, bool);

/// Returns the replies of a sender in a range of positions of a thread.
pub fn sent_in(
    conn: &mut AnyConn,
    root: MessageId,
    sender: UserId,
    places: RangeInclusive<Pos>,
) -> Result<Vec<Sent>, StorageError> {
    let rows = sql!(
        "SELECT pos, chat_pos, is_deleted FROM thread_replies WHERE root_id = ? AND pos BETWEEN ? AND ? AND sender_id = ?",
        root,
        *places.start(),
        *places.end(),
        sender
    );
    Ok(rows.rows(conn)?)
}

/// Makes replies those of another sender.
pub fn set_sender(
    conn: &mut AnyConn,
    root: MessageId,
    to: UserId,
    places: &[Pos],
) -> Result<(), StorageError> {
    sql!("UPDATE thread_replies SET sender_id = ? WHERE root_id = ? AND pos IN ?", to, root, places)
        .run(conn)?;
    Ok(())
}

/// Removes some rows of the threads of a deleted chat. Returns whether there were any.
pub fn clear_chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    let row = sql!("SELECT root_id FROM threads WHERE chat_id = ? ORDER BY root_id LIMIT 1", chat);
    let Some(root) = row.first::<MessageId>(conn)? else { return Ok(false) };
    let is_left = delete_some!(conn, "thread_replies", "root_id, pos", "root_id = ?", root)? as i64 == STEP
        || delete_some!(conn, "thread_participants", "root_id, user_id", "root_id = ?", root)? as i64 == STEP
        || delete_some!(conn, "sent_counts", "chat_id, sender_id, block", "chat_id = ?", -root.0)? as i64
            == STEP
        || delete_some!(conn, "tombstone_counts", "chat_id, sender_id, level, block", "chat_id = ?", -root.0)?
            as i64
            == STEP;
    if !is_left && !mentions::clear_counts(conn, Lane::Thread(root))? {
        sql!("DELETE FROM threads WHERE root_id = ?", root).run(conn)?;
    }
    Ok(true)
}
