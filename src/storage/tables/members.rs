//! Members of chats: their roles, read markers and own settings.

use std::collections::HashMap;

use super::rows::CardRow;
use crate::{
    core::model::{Chat, ChatId, Me, Member, MessageId, Pos, Role, Seq, Timestamp, UserId},
    storage::{
        AnyConn, StorageError,
        db::{
            row::row,
            sql::sql,
            steps::{STEP, delete_some},
        },
    },
};

row! {
    /// A member with the user's card.
    struct MemberRow from members m {
        user: CardRow,
        role: Role,
        joined_at: Timestamp,
        read_pos: Pos,
        read_message_id: Option<MessageId>,
        from_pos: Pos,
        from_message_id: Option<MessageId>,
    }
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        Self {
            user: row.user.into(),
            role: row.role,
            joined_at: row.joined_at,
            read_pos: row.read_pos,
            last_read_message_id: row.read_message_id,
            from_pos: row.from_pos,
            read_from_message_id: row.from_message_id,
        }
    }
}

row! {
    /// A member and the chat.
    struct MemberOfRow from members m {
        chat_id: ChatId,
        member: MemberRow,
    }
}

/// Loads the first members, in the order of joining.
pub fn first(conn: &mut AnyConn, chat: ChatId, limit: i64) -> Result<Vec<Member>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.chat_id = ? AND m.left_seq IS NULL ORDER BY m.joined_seq, m.user_id LIMIT ?",
        chat,
        limit
    )
    .rows::<MemberRow>(conn)?;
    Ok(rows.into_iter().map(Member::from).collect())
}

/// Loads a page of members, in the order of joining, without the first `skip`.
pub fn page(conn: &mut AnyConn, chat: ChatId, skip: i64, limit: i64) -> Result<Vec<Member>, StorageError> {
    if skip == 0 {
        return first(conn, chat, limit);
    }
    let rows = sql!(
        // The members before the page are skipped in the index.
        "SELECT {} FROM (SELECT chat_id, user_id FROM members WHERE chat_id = ? AND left_seq IS NULL \
            ORDER BY joined_seq, user_id LIMIT ? OFFSET ?) AS page \
         JOIN members m ON m.chat_id = page.chat_id AND m.user_id = page.user_id \
         JOIN users u ON u.id = m.user_id ORDER BY m.joined_seq, m.user_id",
        chat,
        limit,
        skip
    )
    .rows::<MemberRow>(conn)?;
    Ok(rows.into_iter().map(Member::from).collect())
}

/// Loads those of `users` that are in the chat, in the order of joining.
pub fn among(conn: &mut AnyConn, chat: ChatId, users: &[UserId]) -> Result<Vec<Member>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|id| id.0).collect();
    let rows = match conn {
        AnyConn::Sqlite(_) => sql!(
            // The sum keeps SQLite from scanning all members in this order.
            "SELECT {} FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.chat_id = ? AND m.left_seq IS NULL AND m.user_id IN ? \
             ORDER BY m.joined_seq + 0, m.user_id",
            chat,
            ids.as_slice()
        )
        .rows::<MemberRow>(conn)?,
        AnyConn::Postgres(_) => sql!(
            // LIMIT keeps the planner from a join: each is a key lookup, however many members there are.
            "SELECT {} FROM unnest(?) AS asked (id) CROSS JOIN LATERAL (SELECT * FROM members \
                WHERE chat_id = ? AND user_id = asked.id AND left_seq IS NULL LIMIT 1) m \
             CROSS JOIN LATERAL (SELECT * FROM users WHERE id = m.user_id LIMIT 1) u \
             ORDER BY m.joined_seq, m.user_id",
            ids,
            chat
        )
        .rows::<MemberRow>(conn)?,
    };
    Ok(rows.into_iter().map(Member::from).collect())
}

/// Loads one member.
pub fn find(conn: &mut AnyConn, chat: ChatId, user: UserId) -> Result<Option<Member>, StorageError> {
    Ok(among(conn, chat, &[user])?.into_iter().next())
}

/// Loads the members whose read markers count for `read_by`: all of them, or none if the chat has more than
/// `max`.
pub fn readers(conn: &mut AnyConn, chat: &Chat, max: i64) -> Result<Vec<Member>, StorageError> {
    if chat.member_count > max { Ok(Vec::new()) } else { first(conn, chat.id, max) }
}

/// Loads the members whose read markers count for `read_by` of several chats at once. Leaves out chats with
/// more than `max` members.
pub fn readers_of(
    conn: &mut AnyConn,
    chats: &[ChatId],
    max: i64,
) -> Result<HashMap<ChatId, Vec<Member>>, StorageError> {
    let ids: Vec<i64> = chats.iter().map(|id| id.0).collect();
    let rows = sql!(
        // Every `joined_seq` is positive. The condition lets SQLite skip former members in the index. The
        // order is by the chats' own ids, so that SQLite checks the size of a chat before it reads the members.
        "SELECT {} FROM chats c JOIN members m ON m.chat_id = c.id JOIN users u ON u.id = m.user_id \
         WHERE c.id IN ? AND c.member_count <= ? AND m.left_seq IS NULL AND m.joined_seq > 0 \
         ORDER BY c.id, m.joined_seq, m.user_id",
        ids.as_slice(),
        max
    );
    let mut found: HashMap<ChatId, Vec<Member>> = HashMap::new();
    for row in rows.rows::<MemberOfRow>(conn)? {
        found.entry(row.chat_id).or_default().push(row.member.into());
    }
    Ok(found)
}

/// Returns the sequence number of the change that added a member; 0 if the user is not in the chat.
pub fn joined_seq(conn: &mut AnyConn, chat: ChatId, user: UserId) -> Result<Seq, StorageError> {
    let row = sql!(
        "SELECT m.joined_seq FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.chat_id = ? AND m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL",
        chat,
        user
    );
    Ok(row.first::<i64>(conn)?.unwrap_or(0))
}

/// Returns the sequence number of the change with which a user left a chat, or with which their chat was
/// deleted.
pub fn left_seq(conn: &mut AnyConn, chat: ChatId, user: UserId) -> Result<Option<Seq>, StorageError> {
    let row = sql!(
        "SELECT coalesce(m.left_seq, CASE WHEN c.deleted_at IS NOT NULL THEN c.seq END) \
         FROM members m JOIN chats c ON c.id = m.chat_id WHERE m.chat_id = ? AND m.user_id = ?",
        chat,
        user
    );
    Ok(row.first::<Option<Seq>>(conn)?.flatten())
}

/// Returns whether a user is in the chat.
pub fn is_in(conn: &mut AnyConn, chat: ChatId, user: UserId) -> Result<bool, StorageError> {
    Ok(joined_seq(conn, chat, user)? > 0)
}

/// Returns the chats that a user is in.
pub fn chats_of(conn: &mut AnyConn, user: UserId) -> Result<Vec<ChatId>, StorageError> {
    let rows = sql!(
        "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL",
        user
    );
    Ok(rows.rows::<ChatId>(conn)?)
}

/// Returns up to `limit` chats of a user with ids above `after`, by id (keyset pagination).
pub fn chats_of_after(
    conn: &mut AnyConn,
    user: UserId,
    after: ChatId,
    limit: i64,
) -> Result<Vec<ChatId>, StorageError> {
    let rows = sql!(
        "SELECT m.chat_id FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND m.chat_id > ? AND c.deleted_at IS NULL \
         ORDER BY m.chat_id LIMIT ?",
        user,
        after,
        limit
    );
    Ok(rows.rows::<ChatId>(conn)?)
}

/// Returns all members of the chat, with their roles.
pub fn roles(conn: &mut AnyConn, chat: ChatId) -> Result<Vec<(UserId, Role)>, StorageError> {
    let rows = sql!(
        "SELECT user_id, role FROM members WHERE chat_id = ? AND left_seq IS NULL AND joined_seq > 0",
        chat
    );
    Ok(rows.rows(conn)?)
}

/// Returns whether the chat has an admin, active or not.
pub fn has_admin(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    let row = sql!(
        // In the order of the index of admins; otherwise SQLite scans all members.
        "SELECT user_id FROM members WHERE chat_id = ? AND left_seq IS NULL AND role = 'admin' \
         ORDER BY joined_seq, user_id LIMIT 1",
        chat
    );
    Ok(row.first::<i64>(conn)?.is_some())
}

/// Returns whether any admin of the chat is active.
pub fn has_active_admin(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(!active_admins(conn, chat, 1)?.is_empty())
}

/// Returns the first active admins, in the order of joining.
pub fn active_admins(conn: &mut AnyConn, chat: ChatId, limit: i64) -> Result<Vec<UserId>, StorageError> {
    let rows = sql!(
        "SELECT m.user_id FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.chat_id = ? AND m.left_seq IS NULL AND m.role = 'admin' AND u.is_active \
         ORDER BY m.joined_seq, m.user_id LIMIT ?",
        chat,
        limit
    );
    Ok(rows.rows::<UserId>(conn)?)
}

/// Returns all admins, active or not, in the order of joining.
pub fn admins(conn: &mut AnyConn, chat: ChatId) -> Result<Vec<UserId>, StorageError> {
    let rows = sql!(
        "SELECT user_id FROM members WHERE chat_id = ? AND left_seq IS NULL AND role = 'admin' \
         ORDER BY joined_seq, user_id",
        chat
    );
    Ok(rows.rows::<UserId>(conn)?)
}

/// Returns the active member that joined first, without guests.
pub fn longest_standing(conn: &mut AnyConn, chat: ChatId) -> Result<Option<UserId>, StorageError> {
    let row = sql!(
        "SELECT m.user_id FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.chat_id = ? AND m.left_seq IS NULL AND u.is_active AND NOT u.is_guest \
         ORDER BY m.joined_seq, m.user_id LIMIT 1",
        chat
    );
    Ok(row.first::<UserId>(conn)?)
}

/// How a user becomes a member. Only chats of their own doing count towards a user's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// They created or joined the chat themselves.
    Own,
    /// Another user added them.
    Others,
}

/// Adds users to a chat, for the first time or again, with everything marked as read. `chat` already has the
/// sequence number of this change. `last_message_id`: the newest message, if there is one.
pub fn join(
    conn: &mut AnyConn,
    chat: &Chat,
    users: &[UserId],
    (role, deed): (Role, Deed),
    last_message_id: Option<MessageId>,
) -> Result<(), StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    sql!(
        // Without WHERE, SQLite would parse ON as part of a join.
        "INSERT INTO members (chat_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, \
         read_message_id, from_pos, from_message_id, is_own, user_id) \
         SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, value FROM ? AS users WHERE TRUE \
         ON CONFLICT (chat_id, user_id) DO UPDATE SET role = excluded.role, joined_at = excluded.joined_at, \
         joined_seq = excluded.joined_seq, member_seq = excluded.member_seq, read_seq = excluded.read_seq, \
         is_pinned = FALSE, muted_until = NULL, notify = NULL, unread_pos = NULL, unread_message_id = NULL, me_seq = 0, \
         left_seq = NULL, is_own = excluded.is_own, read_pos = excluded.read_pos, read_message_id = excluded.read_message_id, \
         from_pos = excluded.from_pos, from_message_id = excluded.from_message_id",
        chat.id,
        role.as_str(),
        Timestamp::now(),
        chat.seq,
        chat.seq,
        chat.seq,
        chat.last_pos,
        last_message_id,
        chat.last_pos,
        last_message_id,
        deed == Deed::Own,
        ids.as_slice()
    )
    .run(conn)?;
    note_change(conn, chat.id, chat.seq)
}

/// Records a change of the members or their roles, which ends what was decided from them. `seq`: the sequence
/// number of the change.
pub(super) fn note_change(conn: &mut AnyConn, chat: ChatId, seq: Seq) -> Result<(), StorageError> {
    sql!("UPDATE chats SET members_seq = ? WHERE id = ?", seq, chat).run(conn)?;
    Ok(())
}

/// Removes a user from a chat. The row stays, with the sequence number of the change.
pub fn leave(conn: &mut AnyConn, chat: ChatId, user: UserId, seq: Seq) -> Result<(), StorageError> {
    sql!(
        "UPDATE members SET left_seq = ?, member_seq = ? WHERE chat_id = ? AND user_id = ?",
        seq,
        seq,
        chat,
        user
    )
    .run(conn)?;
    note_change(conn, chat, seq)
}

/// Stores a member's role.
pub fn set_role(
    conn: &mut AnyConn,
    chat: ChatId,
    user: UserId,
    role: Role,
    seq: Seq,
) -> Result<(), StorageError> {
    sql!(
        "UPDATE members SET role = ?, member_seq = ? WHERE chat_id = ? AND user_id = ?",
        role.as_str(),
        seq,
        chat,
        user
    )
    .run(conn)?;
    note_change(conn, chat, seq)
}

/// Stores a member's read marker. `seq`: the sequence number of the change; `None` if it takes none.
pub fn set_marker(
    conn: &mut AnyConn,
    chat: ChatId,
    user: UserId,
    marker: (Pos, MessageId),
    seq: Option<Seq>,
) -> Result<(), StorageError> {
    sql!(
        "UPDATE members SET read_pos = ?, read_message_id = ?, read_seq = coalesce(?, read_seq) \
         WHERE chat_id = ? AND user_id = ?",
        marker.0,
        marker.1,
        seq,
        chat,
        user
    )
    .run(conn)?;
    Ok(())
}

/// Stores a member's own settings, as the chat's latest change. `unread_pos`: the position of `me.unread_from`.
pub fn set_me(
    conn: &mut AnyConn,
    chat: &Chat,
    user: UserId,
    (me, unread_pos): (&Me, Option<Pos>),
) -> Result<(), StorageError> {
    let is_default = me.notify == chat.kind.default_level();
    sql!(
        "UPDATE members SET muted_until = ?, is_pinned = ?, unread_message_id = ?, unread_pos = ?, notify = ?, \
         me_seq = ? WHERE chat_id = ? AND user_id = ?",
        me.muted_until.map(|until| until.0),
        me.is_pinned,
        me.unread_from,
        unread_pos,
        if is_default { None } else { Some(me.notify.as_str()) },
        chat.seq,
        chat.id,
        user
    )
    .run(conn)?;
    Ok(())
}

/// Deletes up to [`STEP`] member rows of a deleted chat, including former members. Returns whether there may
/// be more.
pub(crate) fn clear_members(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(delete_some!(conn, "members", "chat_id, user_id", "chat_id = ?", chat)? as i64 == STEP)
}
