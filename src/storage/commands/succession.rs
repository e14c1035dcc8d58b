//! Hands chats over, so that a chat with active members has an active admin: when an admin leaves, is shut out, or was
//! shut out before this was looked after.

use std::collections::BTreeSet;

use crate::{
    core::model::{Chat, ChatId, ChatKind, Role, UserId},
    storage::{
        AnyConn, StorageError,
        db::sql::sql,
        tables::{
            chats,
            locks::{self, Contested},
            members,
            users::{self, User},
        },
    },
};

/// Whether a chat `c` has lost its admins while it has active members. A room that never had an admin is staff's. Members are
/// asked for in the order of an index, so that those who left are passed over.
macro_rules! is_unattended {
    () => {
        "c.chat_type <> 'dm' AND c.deleted_at IS NULL \
         AND (SELECT m.user_id FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.chat_id = c.id AND m.role = 'admin' AND m.left_seq IS NULL AND u.is_active \
             ORDER BY m.joined_seq, m.user_id LIMIT 1) IS NULL \
         AND (c.chat_type = 'group' OR (SELECT m.user_id FROM members m \
             WHERE m.chat_id = c.id AND m.role = 'admin' AND m.left_seq IS NULL \
             ORDER BY m.joined_seq, m.user_id LIMIT 1) IS NOT NULL) \
         AND (SELECT m.user_id FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.chat_id = c.id AND m.left_seq IS NULL AND u.is_active \
             ORDER BY m.joined_seq, m.user_id LIMIT 1) IS NOT NULL"
    };
}

/// The chats that have active members and no active admin.
pub fn unattended(conn: &mut AnyConn) -> Result<BTreeSet<ChatId>, StorageError> {
    let rows = sql!(concat!("SELECT c.id FROM chats c WHERE ", is_unattended!()));
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| ChatId(id)).collect())
}

/// Most chats that one step looks at.
const STEP: i64 = 16;

/// Holds a user, or all staff where they are staff: for a transaction that lets the user in or shuts them out.
pub fn hold(conn: &mut AnyConn, user: UserId) -> Result<Option<User>, StorageError> {
    if users::is_staff(conn, user)? {
        locks::staff(conn)?;
    }
    users::hold(conn, user)
}

/// Stores whether a user is active, and that the chats which depend on it are to be handed over, by [`step`]. The user is
/// held by [`hold`].
pub fn change_standing(conn: &mut AnyConn, user: &mut User, is_active: bool) -> Result<(), StorageError> {
    user.is_active = is_active;
    users::update(conn, user)?;
    sql!(
        "INSERT INTO successions (user_id, after_chat_id) VALUES (?, 0) \
         ON CONFLICT (user_id) DO UPDATE SET after_chat_id = 0",
        user.id()
    )
    .run(conn)?;
    Ok(())
}

/// Looks at some chats of a user who was shut out or let in, and hands over those that need it; `whose`: of this one
/// only. It comes after the transaction that changed the user, so whoever gives a role in one of these chats has it locked
/// and is waited for, or knows already. Returns whether there may be more.
pub fn step(conn: &mut AnyConn, whose: Option<UserId>) -> Result<bool, StorageError> {
    let Some((user, after)) = locks::succession(conn, whose)? else { return Ok(false) };
    let chats = members::chats_of_after(conn, user, after, STEP)?;
    settle(conn, &chats.iter().copied().collect())?;
    match chats.last() {
        Some(last) if chats.len() as i64 == STEP => {
            sql!("UPDATE successions SET after_chat_id = ? WHERE user_id = ?", *last, user).run(conn)?;
        }
        _ => drop(sql!("DELETE FROM successions WHERE user_id = ?", user).run(conn)?),
    }
    Ok(true)
}

/// Chats that one of these steps will look at.
pub fn pending(conn: &mut AnyConn) -> Result<BTreeSet<ChatId>, StorageError> {
    let rows = sql!(
        "SELECT m.chat_id FROM successions s JOIN members m ON m.user_id = s.user_id AND m.left_seq IS NULL \
         WHERE m.chat_id > s.after_chat_id"
    );
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| ChatId(id)).collect())
}

/// Users whose chats are to be handed over still.
pub fn left(conn: &mut AnyConn) -> Result<Vec<UserId>, StorageError> {
    let rows = sql!("SELECT user_id FROM successions").rows::<(i64,)>(conn)?;
    Ok(rows.into_iter().map(|(id,)| UserId(id)).collect())
}

/// Hands over those of these chats that have active members and no active admin. A room that never had an admin is staff's.
pub fn settle(conn: &mut AnyConn, ids: &BTreeSet<ChatId>) -> Result<(), StorageError> {
    if ids.is_empty() {
        return Ok(());
    }
    for mut chat in locks::chats(conn, ids, Contested::WaitedFor)?.into_values() {
        chat.seq += 1;
        let is_somebodys = chat.kind == ChatKind::Group || members::has_admin(conn, chat.id)?;
        if is_somebodys && hand_over(conn, &chat)?.is_some() {
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
