//! Admin succession: a chat with active members has an active admin.
//!
//! A chat is handed over when an admin leaves or is deactivated. Admins deactivated before this rule existed
//! are covered too.

use std::collections::BTreeSet;

use crate::{
    core::model::{Chat, ChatId, ChatKind, Role, UserId},
    storage::{
        AnyConn, StorageError,
        db::sql::sql,
        tables::{
            chats,
            locks::{self, LockedRows},
            members,
            users::{self, User},
        },
    },
};

/// SQL condition: chat `c` has active members, guests aside, but no active admin. A room that never had an admin belongs to
/// staff and is left out. Members are read in the order of an index, which skips former members.
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
             WHERE m.chat_id = c.id AND m.left_seq IS NULL AND u.is_active AND NOT u.is_guest \
             ORDER BY m.joined_seq, m.user_id LIMIT 1) IS NOT NULL"
    };
}

/// Finds the chats that have active members but no active admin.
pub fn unattended(conn: &mut AnyConn) -> Result<BTreeSet<ChatId>, StorageError> {
    let rows = sql!(concat!("SELECT c.id FROM chats c WHERE ", is_unattended!()));
    Ok(rows.rows::<ChatId>(conn)?.into_iter().collect())
}

/// Most chats that one step checks.
const STEP: i64 = 16;

/// Loads a user and locks the row; also locks all active staff if the user is staff. For transactions that
/// activate or deactivate the user.
pub fn lock_for_status_change(conn: &mut AnyConn, user: UserId) -> Result<Option<User>, StorageError> {
    if users::is_staff(conn, user)? {
        locks::staff(conn)?;
    }
    users::find_for_update(conn, user)
}

/// Stores whether a user is active, and queues the user's chats for [`step`], which hands them over. The
/// caller has locked the user.
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

/// Checks up to `STEP` chats of a user that was activated or deactivated, and hands over those that need
/// it. `whose`: only this user's chats.
///
/// Runs after the transaction that changed the user. A concurrent role change in one of the chats is no race:
/// it holds the chat's lock, or already sees the change. Returns whether there may be more.
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

/// Finds the chats that a [`step`] has yet to check.
pub fn pending(conn: &mut AnyConn) -> Result<BTreeSet<ChatId>, StorageError> {
    let rows = sql!(
        "SELECT m.chat_id FROM successions s JOIN members m ON m.user_id = s.user_id AND m.left_seq IS NULL \
         WHERE m.chat_id > s.after_chat_id"
    );
    Ok(rows.rows::<ChatId>(conn)?.into_iter().collect())
}

/// Finds the users whose chats have yet to be checked.
pub fn left(conn: &mut AnyConn) -> Result<Vec<UserId>, StorageError> {
    Ok(sql!("SELECT user_id FROM successions").rows(conn)?)
}

/// Hands over those of these chats that have active members but no active admin. A room that never had an
/// admin belongs to staff and is left out.
pub fn settle(conn: &mut AnyConn, ids: &BTreeSet<ChatId>) -> Result<(), StorageError> {
    if ids.is_empty() {
        return Ok(());
    }
    for mut chat in locks::chats(conn, ids, LockedRows::Wait)?.into_values() {
        chat.seq += 1;
        let ever_had_admin = chat.kind == ChatKind::Group || members::has_admin(conn, chat.id)?;
        if ever_had_admin && hand_over(conn, &chat)?.is_some() {
            chats::update(conn, &chat)?;
        }
    }
    Ok(())
}

/// Makes the longest-standing active member the admin of a chat without an active admin. Returns the new
/// admin, if any. `chat` is locked and already has the sequence number of this change.
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
