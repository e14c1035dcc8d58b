//! Counts of deleted messages per block of positions. Any range is counted in a few steps, however long it
//! is.

use std::collections::BTreeMap;

use crate::{
    core::model::{Chat, ChatId, Pos, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Levels of blocks. A block of level n covers 64^n positions. A block of the top level covers a billion
/// messages.
const LEVELS: u32 = 5;

/// Blocks of one level that a block of the next level covers.
const FANOUT: i64 = 64;

/// Sender id under which the counts of all senders together are stored.
const ALL_SENDERS: UserId = UserId(0);

/// Counts the message at `pos` as deleted.
pub fn record(conn: &mut AnyConn, chat: ChatId, sender: UserId, pos: Pos) -> Result<(), StorageError> {
    for whose in [ALL_SENDERS, sender] {
        for level in 1..=LEVELS {
            add(conn, chat, whose, (i64::from(level), block_of(pos, level)), 1)?;
        }
    }
    Ok(())
}

/// Counts the deleted messages at these positions as those of another sender.
pub fn hand_over(
    conn: &mut AnyConn,
    chat: ChatId,
    (from, to): (UserId, UserId),
    places: impl Iterator<Item = Pos>,
) -> Result<(), StorageError> {
    let mut counts: BTreeMap<(u32, i64), i64> = BTreeMap::new();
    for pos in places {
        for level in 1..=LEVELS {
            *counts.entry((level, block_of(pos, level))).or_default() += 1;
        }
    }
    for ((level, block), count) in &counts {
        add(conn, chat, from, (i64::from(*level), *block), -count)?;
        add(conn, chat, to, (i64::from(*level), *block), *count)?;
    }
    if !counts.is_empty() {
        sql!(
            "DELETE FROM tombstone_counts WHERE chat_id = ? AND sender_id = ? AND tombstones = 0",
            chat,
            from
        )
        .run(conn)?;
    }
    Ok(())
}

/// Adds to the count of a block.
fn add(
    conn: &mut AnyConn,
    chat: ChatId,
    sender: UserId,
    (level, block): (i64, i64),
    count: i64,
) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO tombstone_counts (chat_id, sender_id, level, block, tombstones) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (chat_id, sender_id, level, block) \
         DO UPDATE SET tombstones = tombstone_counts.tombstones + excluded.tombstones",
        chat,
        sender,
        level,
        block,
        count
    )
    .run(conn)?;
    Ok(())
}

/// Counts the deleted messages after `pos` that `reader` did not send.
pub fn of_others_after(
    conn: &mut AnyConn,
    chat: &Chat,
    reader: UserId,
    pos: Pos,
) -> Result<i64, StorageError> {
    if chat.deleted_count == 0 {
        return Ok(0);
    }
    let all = chat.deleted_count - up_to(conn, chat.id, ALL_SENDERS, pos)?;
    let own = blocks(conn, chat.id, reader, LEVELS, 0, block_of(chat.last_pos, LEVELS) + 1)?;
    let own = if own == 0 { 0 } else { own - up_to(conn, chat.id, reader, pos)? };
    Ok(all - own)
}

/// Returns the newest position before `pos` whose message is not deleted; 0 if there is none.
pub fn last_live_before(conn: &mut AnyConn, chat: ChatId, pos: Pos) -> Result<Pos, StorageError> {
    let mut end = pos;
    while end > 1 {
        // Skip the largest block that ends just before `end` and holds tombstones only.
        let full = (1..=LEVELS).rev().find_map(|level| {
            let size = FANOUT.pow(level);
            let block = (end - 1) / size;
            (end % size == 0 && end > size).then_some((level, block, size))
        });
        if let Some((level, block, size)) = full
            && blocks(conn, chat, ALL_SENDERS, level, block, block + 1)? == size
        {
            end -= size;
            continue;
        }
        let start = (end - 1) / FANOUT * FANOUT;
        let row = sql!(
            "SELECT pos FROM messages WHERE chat_id = ? AND pos >= ? AND pos < ? AND NOT is_deleted \
             ORDER BY pos DESC LIMIT 1",
            chat,
            start,
            end
        );
        if let Some(found) = row.first(conn)? {
            return Ok(found);
        }
        end = start;
    }
    Ok(0)
}

/// Counts the tombstones at positions up to `pos`.
fn up_to(conn: &mut AnyConn, chat: ChatId, whose: UserId, pos: Pos) -> Result<i64, StorageError> {
    let mut count = 0;
    for level in (1..=LEVELS).rev() {
        // The blocks of this level before the one with `pos`, within the same block of the level above.
        let end = block_of(pos, level);
        let start = if level == LEVELS { 0 } else { end / FANOUT * FANOUT };
        count += blocks(conn, chat, whose, level, start, end)?;
    }
    let start = block_of(pos, 1) * FANOUT;
    let rest = sql!(
        "SELECT count(*) FROM messages WHERE chat_id = ? AND pos BETWEEN ? AND ? AND is_deleted \
         AND (? = 0 OR sender_id = ?)",
        chat,
        start,
        pos,
        whose,
        whose
    )
    .one::<i64>(conn)?;
    Ok(count + rest)
}

/// Counts the tombstones in the blocks from `start` up to, but not including, `end`.
fn blocks(
    conn: &mut AnyConn,
    chat: ChatId,
    whose: UserId,
    level: u32,
    start: i64,
    end: i64,
) -> Result<i64, StorageError> {
    if start == end {
        return Ok(0);
    }
    let count = sql!(
        "SELECT CAST(coalesce(sum(tombstones), 0) AS BIGINT) FROM tombstone_counts \
         WHERE chat_id = ? AND sender_id = ? AND level = ? AND block >= ? AND block < ?",
        chat,
        whose,
        i64::from(level),
        start,
        end
    )
    .one::<i64>(conn)?;
    Ok(count)
}

fn block_of(pos: Pos, level: u32) -> i64 {
    pos / FANOUT.pow(level)
}
