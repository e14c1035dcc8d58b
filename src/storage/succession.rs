//! Hands chats over, so that a chat with active members has an active admin: when an admin leaves, is shut out, or was
//! shut out before this was looked after.

use std::collections::BTreeSet;

use super::{
    AnyConn, StorageError, chats,
    locks::{self, Contested},
    members,
    sql::sql,
    users::{self, User},
};
use crate::model::{Chat, ChatId, ChatKind, Role, UserId};

/// Whether a chat `c` has lost its admins while it has active members. A room that never had an admin is staff's.
macro_rules! is_unattended {
    () => {
        "c.chat_type <> 'dm' AND c.deleted_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.chat_id = c.id AND m.role = 'admin' AND m.left_seq IS NULL AND u.is_active) \
         AND (c.chat_type = 'group' OR EXISTS (SELECT 1 FROM members m \
             WHERE m.chat_id = c.id AND m.role = 'admin' AND m.left_seq IS NULL)) \
         AND EXISTS (SELECT 1 FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.chat_id = c.id AND m.left_seq IS NULL AND u.is_active)"
    };
}

/// The chats that have active members and no active admin.
pub fn unattended(conn: &mut AnyConn) -> Result<BTreeSet<ChatId>, StorageError> {
    let rows = sql!(concat!("SELECT c.id FROM chats c WHERE ", is_unattended!()));
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| ChatId(id)).collect())
}

/// Those of them that a user is in.
pub fn unattended_of(conn: &mut AnyConn, user: UserId) -> Result<BTreeSet<ChatId>, StorageError> {
    let rows = sql!(
        concat!(
            "SELECT c.id FROM members s JOIN chats c ON c.id = s.chat_id ",
            "WHERE s.user_id = ? AND s.left_seq IS NULL AND ",
            is_unattended!()
        ),
        user
    );
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| ChatId(id)).collect())
}

/// Locks what depends on whether a user is active: their groups and rooms, and then the user, or all staff where they
/// are staff. For a transaction that lets the user in or shuts them out.
pub fn hold(conn: &mut AnyConn, user: UserId) -> Result<Option<User>, StorageError> {
    let rows = sql!(
        "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.chat_type <> 'dm'",
        user
    );
    let ids = rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| ChatId(id)).collect();
    locks::chats(conn, &ids, Contested::WaitedFor)?;
    if users::is_staff(conn, user)? {
        locks::staff(conn)?;
    }
    users::hold(conn, user)
}

/// Stores whether a user is active, and hands over the chats that depend on it. The user is held by [`hold`].
pub fn change_standing(conn: &mut AnyConn, user: &mut User, is_active: bool) -> Result<(), StorageError> {
    user.is_active = is_active;
    users::update(conn, user)?;
    let ids = unattended_of(conn, user.id())?;
    settle(conn, &ids)
}

/// Hands over those of these chats that have active members and no active admin.
pub fn settle(conn: &mut AnyConn, ids: &BTreeSet<ChatId>) -> Result<(), StorageError> {
    if ids.is_empty() {
        return Ok(());
    }
    for mut chat in locks::chats(conn, ids, Contested::WaitedFor)?.into_values() {
        chat.seq += 1;
        if hand_over(conn, &chat)?.is_some() {
            chats::update(conn, &chat)?;
        }
    }
    Ok(())
}

/// Makes the longest-standing active member admin of a chat that has no active admin. `chat` is locked, and has taken the
/// number of this change already.
pub fn hand_over(conn: &mut AnyConn, chat: &Chat) -> Result<Option<UserId>, StorageError> {
    if chat.kind == ChatKind::Dm || members::has_active_admin(conn, chat.id)? {
        return Ok(None);
    }
    let heir = members::longest_standing(conn, chat.id)?;
    if let Some(heir) = heir {
        members::set_role(conn, chat.id, heir, Role::Admin, chat.seq)?;
    }
    Ok(heir)
}
