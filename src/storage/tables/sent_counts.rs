//! Numbers of messages that each sender has posted up to the end of each block of positions, in the timeline of a
//! chat or in a thread. They count a user's own messages in any range in a few steps, without an index by sender that
//! each post would write to.

use std::collections::BTreeMap;

use crate::{
    core::model::{ChatId, Lane, MessageId, Pos, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Number of positions of a block. Also in the statements here and of `queries/chat_list.rs`.
pub const BLOCK: i64 = 16;

/// Returns the block that a message at `pos` completes, if any.
fn completed_block(pos: Pos) -> Option<i64> {
    ((pos + 1) % BLOCK == 0).then_some(pos / BLOCK)
}

/// Records the blocks that are completed by messages at these positions. The messages must be stored.
pub fn record(conn: &mut AnyConn, posted: impl Iterator<Item = (ChatId, Pos)>) -> Result<(), StorageError> {
    let mut completed: BTreeMap<ChatId, Vec<i64>> = BTreeMap::new();
    for (chat, pos) in posted {
        if let Some(block) = completed_block(pos) {
            completed.entry(chat).or_default().push(block);
        }
    }
    match conn {
        AnyConn::Sqlite(_) => completed
            .iter()
            .flat_map(|(chat, blocks)| blocks.iter().map(move |block| (chat, block)))
            .try_for_each(|(chat, block)| record_each(conn, *chat, *block)),
        AnyConn::Postgres(_) => record_together(conn, completed),
    }
}

fn record_each(conn: &mut AnyConn, chat: ChatId, block: i64) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO sent_counts (chat_id, sender_id, block, sent) SELECT m.chat_id, m.sender_id, ?, count(*) \
            + coalesce((SELECT e.sent FROM sent_counts e WHERE e.chat_id = m.chat_id AND e.sender_id = m.sender_id \
                ORDER BY e.block DESC LIMIT 1), 0) \
         FROM messages m WHERE m.chat_id = ? AND m.pos BETWEEN ? AND ? GROUP BY m.chat_id, m.sender_id",
        block,
        chat,
        block * BLOCK,
        block * BLOCK + BLOCK - 1
    )
    .run(conn)?;
    Ok(())
}

/// Records the block that a reply at this position of a thread completes, if any. The reply must be stored.
pub fn record_reply(conn: &mut AnyConn, root: MessageId, pos: Pos) -> Result<(), StorageError> {
    let Some(block) = completed_block(pos) else { return Ok(()) };
    sql!(
        "INSERT INTO sent_counts (chat_id, sender_id, block, sent) SELECT -m.root_id, m.sender_id, ?, count(*) \
            + coalesce((SELECT e.sent FROM sent_counts e WHERE e.chat_id = -m.root_id AND e.sender_id = m.sender_id \
                ORDER BY e.block DESC LIMIT 1), 0) \
         FROM thread_replies m WHERE m.root_id = ? AND m.pos BETWEEN ? AND ? GROUP BY m.root_id, m.sender_id",
        block,
        root,
        block * BLOCK,
        block * BLOCK + BLOCK - 1
    )
    .run(conn)?;
    Ok(())
}

/// Takes one statement for any number of chats. A second block of a chat builds on the first, so it takes
/// another statement.
fn record_together(
    conn: &mut AnyConn,
    mut completed: BTreeMap<ChatId, Vec<i64>>,
) -> Result<(), StorageError> {
    completed.values_mut().for_each(|blocks| blocks.sort_unstable_by(|one, other| other.cmp(one)));
    loop {
        let next = completed.iter_mut().filter_map(|(chat, blocks)| Some((chat.0, blocks.pop()?)));
        let (chats, blocks): (Vec<i64>, Vec<i64>) = next.unzip();
        if chats.is_empty() {
            return Ok(());
        }
        sql!(
            "INSERT INTO sent_counts (chat_id, sender_id, block, sent) SELECT m.chat_id, m.sender_id, b.block, count(*) \
                + coalesce((SELECT e.sent FROM sent_counts e WHERE e.chat_id = m.chat_id AND e.sender_id = m.sender_id \
                    ORDER BY e.block DESC LIMIT 1), 0) \
             FROM unnest(?, ?) AS b (chat_id, block) \
             JOIN messages m ON m.chat_id = b.chat_id AND m.pos BETWEEN b.block * 16 AND b.block * 16 + 15 \
             GROUP BY m.chat_id, m.sender_id, b.block",
            chats,
            blocks
        )
        .run(conn)?;
    }
}

/// Returns the first blocks with messages of a sender, and the number of these messages up to the end of each.
pub fn first_blocks(
    conn: &mut AnyConn,
    lane: Lane,
    sender: UserId,
    limit: i64,
) -> Result<Vec<(i64, i64)>, StorageError> {
    let rows = sql!(
        "SELECT block, sent FROM sent_counts WHERE chat_id = ? AND sender_id = ? ORDER BY block LIMIT ?",
        lane.key(),
        sender,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Counts the messages in the first blocks of a sender, as [`first_blocks`] returns them, as those of another sender.
pub fn hand_over(
    conn: &mut AnyConn,
    lane: Lane,
    (from, to): (UserId, UserId),
    blocks: &[(i64, i64)],
) -> Result<(), StorageError> {
    let Some((last, moved)) = blocks.last().copied() else { return Ok(()) };
    let chat = lane.key();
    let mut before = 0;
    for (number, (block, sent)) in blocks.iter().copied().enumerate() {
        let end = blocks.get(number + 1).map_or(i64::MAX, |(next, _)| *next);
        sql!(
            "UPDATE sent_counts SET sent = sent + ? WHERE chat_id = ? AND sender_id = ? AND block >= ? AND block < ?",
            sent,
            chat,
            to,
            block,
            end
        )
        .run(conn)?;
        sql!(
            "INSERT INTO sent_counts (chat_id, sender_id, block, sent) VALUES (?, ?, ?, ? + \
             coalesce((SELECT e.sent FROM sent_counts e WHERE e.chat_id = ? AND e.sender_id = ? AND e.block < ? \
                ORDER BY e.block DESC LIMIT 1), 0)) ON CONFLICT DO NOTHING",
            chat,
            to,
            block,
            sent - before,
            chat,
            to,
            block
        )
        .run(conn)?;
        before = sent;
    }
    sql!("DELETE FROM sent_counts WHERE chat_id = ? AND sender_id = ? AND block <= ?", chat, from, last)
        .run(conn)?;
    sql!("UPDATE sent_counts SET sent = sent - ? WHERE chat_id = ? AND sender_id = ?", moved, chat, from)
        .run(conn)?;
    Ok(())
}

/// SQL: the number of messages that a user has posted after a position and up to another, as [`between`] counts them.
macro_rules! sent_between {
    ($rows:literal, $lane:literal, $sender:literal, $after:literal, $last:literal) => {
        // Blocks have 16 positions.
        concat!(
            "coalesce((SELECT sent FROM sent_counts s WHERE s.chat_id = ",
            $lane,
            " AND s.sender_id = ",
            $sender,
            " AND s.block < ",
            $last,
            " / 16 ORDER BY s.block DESC LIMIT 1), 0) + (SELECT count(*) FROM ",
            $rows,
            " AND o.pos BETWEEN ",
            $last,
            " / 16 * 16 AND ",
            $last,
            " AND o.sender_id = ",
            $sender,
            ") - coalesce((SELECT sent FROM sent_counts s WHERE s.chat_id = ",
            $lane,
            " AND s.sender_id = ",
            $sender,
            " AND s.block < ",
            $after,
            " / 16 ORDER BY s.block DESC LIMIT 1), 0) - (SELECT count(*) FROM ",
            $rows,
            " AND o.pos BETWEEN ",
            $after,
            " / 16 * 16 AND ",
            $after,
            " AND o.sender_id = ",
            $sender,
            ")"
        )
    };
}
pub(crate) use sent_between;

/// Counts the messages that a user has posted after position `after` and up to `last`, deleted ones included.
pub fn between(
    conn: &mut AnyConn,
    lane: Lane,
    sender: UserId,
    after: Pos,
    last: Pos,
) -> Result<i64, StorageError> {
    macro_rules! of_lane {
        ($rows:literal, $id:expr) => {
            sql!(
                concat!("SELECT ", sent_between!($rows, "?", "?", "?", "?")),
                lane.key(),
                sender,
                last,
                $id,
                last,
                last,
                sender,
                lane.key(),
                sender,
                after,
                $id,
                after,
                after,
                sender
            )
            .one::<i64>(conn)
        };
    }
    Ok(match lane {
        Lane::Chat(chat) => of_lane!("messages o WHERE o.chat_id = ?", chat),
        Lane::Thread(root) => of_lane!("thread_replies o WHERE o.root_id = ?", root),
    }?)
}
