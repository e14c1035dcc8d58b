//! Who is mentioned by which message, and sums per block of positions, which count the unread mentions of any range in
//! a few steps.

use crate::{
    core::model::{ChatId, Lane, MessageId, Pos, Seq, UserId, mentions::Mentions},
    storage::{
        AnyConn, StorageError,
        db::{
            row::row,
            sql::sql,
            steps::{STEP, delete_some},
        },
    },
};

/// User id of the rows that mention everyone.
pub const EVERYONE: UserId = UserId(0);

/// Number of positions of a block.
pub const BLOCK: i64 = 256;

row! {
    /// A mention of a user by a message. With weight 0 it counts nothing: the message mentions everyone, and the user was
    /// connected when it mentioned those who are.
    #[derive(Clone, PartialEq, Eq)]
    pub(crate) struct MentionRow from mentions e {
        user_id: UserId,
        weight: i64,
        is_here: bool,
    }
}

/// The mentions of a message to be stored.
#[derive(Default)]
pub struct ResolvedMentions {
    /// As the message shows them: without users who are not active members.
    pub mentions: Mentions,
    pub ignored: Vec<UserId>,
    /// Members that the message seems to mention, and does not: there is a block between them and the sender.
    pub blocked: Vec<UserId>,
    pub(crate) rows: Vec<MentionRow>,
    /// The members mentioned by name, each with the number of the membership.
    pub named: Vec<(UserId, Seq)>,
}

/// A message at a position of a lane.
#[derive(Debug, Clone, Copy)]
pub struct MentionPlace {
    pub lane: Lane,
    pub pos: Pos,
    pub chat: ChatId,
    pub message: MessageId,
    /// Sequence number of the posting.
    pub created_seq: Seq,
}

/// Stores who is mentioned by a message.
pub(crate) fn insert(
    conn: &mut AnyConn,
    place: MentionPlace,
    rows: &[MentionRow],
) -> Result<(), StorageError> {
    for (weight, is_here) in [(1, false), (1, true), (-1, false), (0, true)] {
        let users = rows.iter().filter(|row| (row.weight, row.is_here) == (weight, is_here));
        let users: Vec<i64> = users.map(|row| row.user_id.0).collect();
        if users.is_empty() {
            continue;
        }
        sql!(
            "INSERT INTO mentions (lane, pos, chat_id, message_id, created_seq, weight, is_here, user_id) \
             SELECT ?, ?, ?, ?, ?, ?, ?, value FROM ? AS users",
            place.lane.key(),
            place.pos,
            place.chat,
            place.message,
            place.created_seq,
            weight,
            is_here,
            users.as_slice()
        )
        .run(conn)?;
        count(conn, place.lane, place.pos, weight, &users)?;
    }
    Ok(())
}

/// Removes who is mentioned by the message at a position. Returns the rows.
pub(crate) fn remove(conn: &mut AnyConn, lane: Lane, pos: Pos) -> Result<Vec<MentionRow>, StorageError> {
    let rows = at(conn, lane, pos)?;
    if rows.is_empty() {
        return Ok(rows);
    }
    sql!("DELETE FROM mentions WHERE lane = ? AND pos = ?", lane.key(), pos).run(conn)?;
    for weight in [1, -1] {
        let users = rows.iter().filter(|row| row.weight == weight);
        let users: Vec<i64> = users.map(|row| row.user_id.0).collect();
        if !users.is_empty() {
            count(conn, lane, pos, -weight, &users)?;
        }
    }
    Ok(rows)
}

/// Returns who is mentioned by the message at a position, in order of user id.
pub(crate) fn at(conn: &mut AnyConn, lane: Lane, pos: Pos) -> Result<Vec<MentionRow>, StorageError> {
    let rows =
        sql!("SELECT {} FROM mentions e WHERE e.lane = ? AND e.pos = ? ORDER BY e.user_id", lane.key(), pos);
    Ok(rows.rows::<MentionRow>(conn)?)
}

fn count(conn: &mut AnyConn, lane: Lane, pos: Pos, weight: i64, users: &[i64]) -> Result<(), StorageError> {
    if weight == 0 {
        return Ok(());
    }
    sql!(
        // Without WHERE, SQLite would parse ON as part of a join.
        "INSERT INTO mention_counts (lane, block, weight, user_id) SELECT ?, ?, ?, value FROM ? AS users WHERE TRUE \
         ON CONFLICT (user_id, lane, block) DO UPDATE SET weight = mention_counts.weight + excluded.weight",
        lane.key(),
        pos / BLOCK,
        weight,
        users
    )
    .run(conn)?;
    Ok(())
}

/// SQL: the number of messages after a position of a lane that mention a user, as [`count_after`] counts them.
macro_rules! mentions_after {
    ($user:literal, $lane:literal, $after:literal) => {
        // Blocks have 256 positions.
        concat!(
            "CAST(coalesce((SELECT sum(weight) FROM mention_counts n WHERE n.user_id IN (0, ",
            $user,
            ") AND n.lane = ",
            $lane,
            " AND n.block > ",
            $after,
            " / 256), 0) + coalesce((SELECT sum(weight) FROM mentions e \
            WHERE e.user_id IN (0, ",
            $user,
            ") AND e.lane = ",
            $lane,
            " AND e.pos > ",
            $after,
            " AND e.pos < (",
            $after,
            " / 256 + 1) * 256), 0) AS BIGINT)"
        )
    };
}
pub(crate) use mentions_after;

/// Counts the messages after position `after` of a lane that mention a user.
pub fn count_after(conn: &mut AnyConn, lane: Lane, user: UserId, after: Pos) -> Result<i64, StorageError> {
    let key = lane.key();
    let count =
        sql!(concat!("SELECT ", mentions_after!("?", "?", "?")), user, key, after, user, key, after, after);
    Ok(count.one::<i64>(conn)?)
}

/// Makes the mentions of a guest in a chat those of a user. The user's own stay.
pub fn hand_over(
    conn: &mut AnyConn,
    chat: ChatId,
    (guest, user): (UserId, UserId),
) -> Result<(), StorageError> {
    let rows = sql!("SELECT lane, pos, weight FROM mentions WHERE chat_id = ? AND user_id = ?", chat, guest)
        .rows::<(i64, Pos, i64)>(conn)?;
    for (key, pos, weight) in rows {
        let lane = if key < 0 { Lane::Thread(MessageId(-key)) } else { Lane::Chat(ChatId(key)) };
        count(conn, lane, pos, -weight, &[guest.0])?;
        let moved = sql!(
            "UPDATE mentions SET user_id = ? WHERE user_id = ? AND lane = ? AND pos = ? \
             AND NOT EXISTS (SELECT 1 FROM mentions o WHERE o.user_id = ? AND o.lane = ? AND o.pos = ?)",
            user,
            guest,
            key,
            pos,
            user,
            key,
            pos
        )
        .run(conn)?;
        if moved > 0 {
            count(conn, lane, pos, weight, &[user.0])?;
        } else {
            sql!("DELETE FROM mentions WHERE user_id = ? AND lane = ? AND pos = ?", guest, key, pos)
                .run(conn)?;
        }
    }
    Ok(())
}

/// Removes some rows of a deleted chat. Returns whether there were any.
pub fn clear_chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(
        delete_some!(conn, "mentions", "user_id, lane, pos", "chat_id = ?", by "chat_id, user_id, message_id", chat)?
            > 0
            || clear_counts(conn, Lane::Chat(chat))?,
    )
}

/// Removes some counts of a lane. Returns whether there may be more.
pub(super) fn clear_counts(conn: &mut AnyConn, lane: Lane) -> Result<bool, StorageError> {
    let key = lane.key();
    Ok(
        delete_some!(conn, "mention_counts", "user_id, lane, block", "lane = ?", by "lane, user_id, block", key)?
            as i64
            == STEP,
    )
}
