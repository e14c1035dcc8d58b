//! Counts of deleted messages per block of positions, in the timeline of a chat or in a thread. Any range is counted in a few steps, however long it
//! is.

use std::collections::BTreeMap;

use crate::{
    core::model::{Lane, Pos, UserId},
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
pub fn record(conn: &mut AnyConn, lane: Lane, sender: UserId, pos: Pos) -> Result<(), StorageError> {
    for whose in [ALL_SENDERS, sender] {
        for level in 1..=LEVELS {
            add(conn, lane, whose, (i64::from(level), block_of(pos, level)), 1)?;
        }
    }
    Ok(())
}

/// Counts the deleted messages at these positions as those of another sender.
pub fn hand_over(
    conn: &mut AnyConn,
    lane: Lane,
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
        add(conn, lane, from, (i64::from(*level), *block), -count)?;
        add(conn, lane, to, (i64::from(*level), *block), *count)?;
    }
    if !counts.is_empty() {
        sql!(
            "DELETE FROM tombstone_counts WHERE chat_id = ? AND sender_id = ? AND tombstones = 0",
            lane.key(),
            from
        )
        .run(conn)?;
    }
    Ok(())
}

/// Adds to the count of a block.
fn add(
    conn: &mut AnyConn,
    lane: Lane,
    sender: UserId,
    (level, block): (i64, i64),
    count: i64,
) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO tombstone_counts (chat_id, sender_id, level, block, tombstones) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (chat_id, sender_id, level, block) \
         DO UPDATE SET tombstones = tombstone_counts.tombstones + excluded.tombstones",
        lane.key(),
        sender,
        level,
        block,
        count
    )
    .run(conn)?;
    Ok(())
}

/// The number of messages of a lane, and of the deleted ones.
#[derive(Debug, Clone, Copy)]
pub struct Totals {
    pub last_pos: Pos,
    pub deleted_count: i64,
}

/// Counts the deleted messages of a sender.
pub fn of_sender(conn: &mut AnyConn, lane: Lane, sender: UserId, last_pos: Pos) -> Result<i64, StorageError> {
    blocks(conn, lane, sender, LEVELS, 0, block_of(last_pos, LEVELS) + 1)
}

/// Counts the deleted messages after `pos` that `reader` did not send.
pub fn of_others_after(
    conn: &mut AnyConn,
    lane: Lane,
    Totals { last_pos, deleted_count }: Totals,
    reader: UserId,
    pos: Pos,
) -> Result<i64, StorageError> {
    if deleted_count == 0 {
        return Ok(0);
    }
    let all = deleted_count - up_to(conn, lane, ALL_SENDERS, pos)?;
    let own = of_sender(conn, lane, reader, last_pos)?;
    let own = if own == 0 { 0 } else { own - up_to(conn, lane, reader, pos)? };
    Ok(all - own)
}

/// Returns the newest position before `pos` whose message is not deleted; 0 if there is none.
pub fn last_live_before(conn: &mut AnyConn, lane: Lane, pos: Pos) -> Result<Pos, StorageError> {
    let mut end = pos;
    while end > 1 {
        // Skip the largest block that ends just before `end` and holds tombstones only.
        let full = (1..=LEVELS).rev().find_map(|level| {
            let size = FANOUT.pow(level);
            let block = (end - 1) / size;
            (end % size == 0 && end > size).then_some((level, block, size))
        });
        if let Some((level, block, size)) = full
            && blocks(conn, lane, ALL_SENDERS, level, block, block + 1)? == size
        {
            end -= size;
            continue;
        }
        let start = (end - 1) / FANOUT * FANOUT;
        if let Some(found) = last_live_in(conn, lane, start, end)? {
            return Ok(found);
        }
        end = start;
    }
    Ok(0)
}

/// Returns the last position from `start` up to, but not including, `end` whose message is not deleted.
fn last_live_in(conn: &mut AnyConn, lane: Lane, start: Pos, end: Pos) -> Result<Option<Pos>, StorageError> {
    macro_rules! of_lane {
        ($rows:literal, $id:expr) => {
            sql!(
                concat!(
                    "SELECT pos FROM ",
                    $rows,
                    " = ? AND pos >= ? AND pos < ? AND NOT is_deleted \
                     ORDER BY pos DESC LIMIT 1"
                ),
                $id,
                start,
                end
            )
            .first::<Pos>(conn)
        };
    }
    Ok(match lane {
        Lane::Chat(chat) => of_lane!("messages WHERE chat_id", chat),
        Lane::Thread(root) => of_lane!("thread_replies WHERE root_id", root),
    }?)
}

/// Counts the tombstones at positions up to `pos`.
fn up_to(conn: &mut AnyConn, lane: Lane, whose: UserId, pos: Pos) -> Result<i64, StorageError> {
    let mut count = 0;
    for level in (1..=LEVELS).rev() {
        // The blocks of this level before the one with `pos`, within the same block of the level above.
        let end = block_of(pos, level);
        let start = if level == LEVELS { 0 } else { end / FANOUT * FANOUT };
        count += blocks(conn, lane, whose, level, start, end)?;
    }
    let start = block_of(pos, 1) * FANOUT;
    Ok(count + deleted_in(conn, lane, whose, (start, pos))?)
}

/// Counts the tombstones in a range of positions, one by one.
fn deleted_in(
    conn: &mut AnyConn,
    lane: Lane,
    whose: UserId,
    (first, last): (Pos, Pos),
) -> Result<i64, StorageError> {
    macro_rules! of_lane {
        ($rows:literal, $id:expr) => {
            sql!(
                concat!(
                    "SELECT count(*) FROM ",
                    $rows,
                    " = ? AND pos BETWEEN ? AND ? AND is_deleted \
                     AND (? = 0 OR sender_id = ?)"
                ),
                $id,
                first,
                last,
                whose,
                whose
            )
            .one::<i64>(conn)
        };
    }
    Ok(match lane {
        Lane::Chat(chat) => of_lane!("messages WHERE chat_id", chat),
        Lane::Thread(root) => of_lane!("thread_replies WHERE root_id", root),
    }?)
}

/// Counts the tombstones in the blocks from `start` up to, but not including, `end`.
fn blocks(
    conn: &mut AnyConn,
    lane: Lane,
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
        lane.key(),
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
