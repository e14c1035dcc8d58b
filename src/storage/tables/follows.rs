//! Threads that users follow. A row holds only for the membership in which it was made, which its `joined_seq` names: who
//! leaves a chat and comes back follows nothing there.

use crate::{
    core::model::{ChatId, MessageId, Pos, Seq, UserId, threads::Follow},
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql, steps::delete_some},
    },
};

row! {
    /// A user's relation to a thread.
    pub(crate) struct FollowRow from follows f {
        is_followed: bool,
        read_pos: Pos,
        read_message_id: Option<MessageId>,
    }
}

impl From<FollowRow> for Follow {
    fn from(row: FollowRow) -> Self {
        Self {
            is_followed: row.is_followed,
            read_pos: row.read_pos,
            last_read_message_id: row.read_message_id,
        }
    }
}

/// Finds a user's relation to a thread. `joined_seq`: of the user's membership.
pub fn find(
    conn: &mut AnyConn,
    root: MessageId,
    user: UserId,
    joined_seq: Seq,
) -> Result<Option<Follow>, StorageError> {
    let row = sql!(
        "SELECT {} FROM follows f WHERE f.user_id = ? AND f.root_id = ? AND f.joined_seq = ?",
        user,
        root,
        joined_seq
    );
    Ok(row.first::<FollowRow>(conn)?.map(Follow::from))
}

/// The user, the thread and the membership of a relation.
#[derive(Debug, Clone, Copy)]
pub struct FollowKey {
    pub user: UserId,
    pub root: MessageId,
    pub chat: ChatId,
    pub joined_seq: Seq,
}

/// Stores a user's relation to a thread, as the chat's change `seq`.
pub fn put(conn: &mut AnyConn, key: FollowKey, follow: &Follow, seq: Seq) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO follows (user_id, root_id, chat_id, joined_seq, is_followed, read_pos, read_message_id, seq) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, root_id) DO UPDATE SET joined_seq = excluded.joined_seq, \
         is_followed = excluded.is_followed, read_pos = excluded.read_pos, read_message_id = excluded.read_message_id, \
         seq = excluded.seq",
        key.user,
        key.root,
        key.chat,
        key.joined_seq,
        follow.is_followed,
        follow.read_pos,
        follow.last_read_message_id,
        seq
    )
    .run(conn)?;
    Ok(())
}

/// Returns the users and threads whose relation changed after change `since` of a chat.
pub fn changed(
    conn: &mut AnyConn,
    chat: ChatId,
    users: &[UserId],
    since: Seq,
    limit: i64,
) -> Result<Vec<(UserId, MessageId)>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let rows = match conn {
        AnyConn::Sqlite(_) => sql!(
            "SELECT user_id, root_id FROM follows WHERE chat_id = ? AND user_id IN ? AND seq > ? ORDER BY seq LIMIT ?",
            chat,
            ids.as_slice(),
            since,
            limit
        )
        .rows(conn),
        // A look at the index for each user: a list as a condition would read the rows of all followers.
        AnyConn::Postgres(_) => sql!(
            "SELECT f.user_id, f.root_id FROM ? AS users CROSS JOIN LATERAL (SELECT user_id, root_id, seq FROM follows \
             WHERE chat_id = ? AND user_id = users.value AND seq > ? ORDER BY seq LIMIT ?) AS f ORDER BY f.seq LIMIT ?",
            ids.as_slice(),
            chat,
            since,
            limit,
            limit
        )
        .rows(conn),
    };
    Ok(rows?)
}

/// Makes a guest's relations in a chat those of a user, as the chat's change `seq`. The user's own stay. Each of the two has
/// a membership.
pub fn hand_over(
    conn: &mut AnyConn,
    chat: ChatId,
    (guest, guest_joined): (UserId, Seq),
    (user, joined_seq): (UserId, Seq),
    seq: Seq,
) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO follows (user_id, root_id, chat_id, joined_seq, is_followed, read_pos, read_message_id, seq) \
         SELECT ?, root_id, chat_id, ?, is_followed, read_pos, read_message_id, ? FROM follows \
         WHERE chat_id = ? AND user_id = ? AND joined_seq = ? ON CONFLICT (user_id, root_id) DO UPDATE SET \
         joined_seq = excluded.joined_seq, is_followed = excluded.is_followed, read_pos = excluded.read_pos, \
         read_message_id = excluded.read_message_id, seq = excluded.seq WHERE follows.joined_seq <> excluded.joined_seq",
        user,
        joined_seq,
        seq,
        chat,
        guest,
        guest_joined
    )
    .run(conn)?;
    sql!("DELETE FROM follows WHERE chat_id = ? AND user_id = ?", chat, guest).run(conn)?;
    Ok(())
}

/// Removes some rows of a deleted chat. Returns whether there were any.
pub fn clear_chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(delete_some!(conn, "follows", "user_id, root_id", "chat_id = ?", by "chat_id, user_id, seq", chat)?
        > 0)
}
