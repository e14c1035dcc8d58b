//! Unread counts: other users' messages that a member has not read. Computed by subtraction of positions,
//! less own and deleted messages.

use crate::{
    core::model::{Chat, Lane, Pos, UserId, threads::Thread},
    storage::{
        AnyConn, StorageError,
        tables::{
            sent_counts,
            tombstones::{self, Totals},
        },
    },
};

/// Returns the position after which a member's unread messages are counted. It is the read marker, or the
/// message before a manual unread mark if that is earlier.
pub fn counted_after(read_pos: Pos, unread_pos: Option<Pos>) -> Pos {
    unread_pos.map_or(read_pos, |pos| read_pos.min(pos - 1))
}

/// Counts other users' messages after position `after`, without deleted ones.
pub fn count(conn: &mut AnyConn, chat: &Chat, reader: UserId, after: Pos) -> Result<i64, StorageError> {
    count_in(conn, Counted::from(chat), reader, after)
}

/// What unread messages are counted in.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    lane: Lane,
    totals: Totals,
    last_live_pos: Pos,
}

impl From<&Chat> for Counted {
    fn from(chat: &Chat) -> Self {
        let totals = Totals { last_pos: chat.last_pos, deleted_count: chat.deleted_count };
        Self { lane: Lane::Chat(chat.id), totals, last_live_pos: chat.last_live_pos }
    }
}

impl From<&Thread> for Counted {
    fn from(thread: &Thread) -> Self {
        let totals = Totals { last_pos: thread.last_pos, deleted_count: thread.deleted_count };
        Self { lane: Lane::Thread(thread.root), totals, last_live_pos: thread.last_live_pos }
    }
}

/// Counts other users' messages after position `after` of a timeline or a thread, without deleted ones.
pub fn count_in(
    conn: &mut AnyConn,
    counted: Counted,
    reader: UserId,
    after: Pos,
) -> Result<i64, StorageError> {
    if after >= counted.last_live_pos {
        return Ok(0);
    }
    let own = sent_counts::between(conn, counted.lane, reader, after, counted.totals.last_pos)?;
    count_without(conn, counted, reader, after, own)
}

/// Counts as [`count_in`], given the number of the reader's own messages after position `after`.
pub fn count_without(
    conn: &mut AnyConn,
    counted: Counted,
    reader: UserId,
    after: Pos,
    own: i64,
) -> Result<i64, StorageError> {
    if after >= counted.last_live_pos {
        return Ok(0);
    }
    let deleted = tombstones::of_others_after(conn, counted.lane, counted.totals, reader, after)?;
    Ok(counted.totals.last_pos - after - own - deleted)
}
