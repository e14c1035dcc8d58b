//! The contact policy: whom a user may contact, depending on whether the two share a chat.

use std::collections::HashSet;

use crate::{
    core::model::{ChatId, Contacts, Refusal, UserId},
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{blocks, members, users},
    },
};

/// Page size for reading another user's chats.
const CHATS_AT_ONCE: i64 = 64;

/// Checks that `by` may begin chats and add people at all.
pub fn expect_may_begin(conn: &mut AnyConn, policy: &StoragePolicy, by: UserId) -> Result<(), StorageError> {
    match policy.contacts.begins() {
        Err(refusal) if !users::is_staff(conn, by)? => Err(refusal.into()),
        _ => Ok(()),
    }
}

/// Checks that `by` may begin chats with these people and add them to chats.
pub fn expect_may_contact(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    by: UserId,
    others: &[UserId],
) -> Result<(), StorageError> {
    let Err(refusal) = policy.contacts.meets_strangers() else { return Ok(()) };
    if users::is_staff(conn, by)? || shares_chats(conn, by, others)? { Ok(()) } else { Err(refusal.into()) }
}

/// Checks that `by` may know of a user: oneself, a user with whom one shares a chat, or one whom one has
/// blocked. Any other user is reported as not found.
pub fn expect_known(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    by: UserId,
    other: UserId,
) -> Result<(), StorageError> {
    let is_known = by == other
        || !is_limited(conn, policy, by)?
        || (users::is_guest(conn, by)? && users::is_staff(conn, other)?)
        || shares_chats(conn, by, &[other])?
        || blocks::has_blocked(conn, by, other)?;
    if is_known { Ok(()) } else { Err(Refusal::NotFound.into()) }
}

/// Returns whether a user finds only people with whom they share a chat: by the policy, and guests always. Guests
/// know staff, too.
pub fn is_limited(conn: &mut AnyConn, policy: &StoragePolicy, user: UserId) -> Result<bool, StorageError> {
    if policy.contacts == Contacts::All {
        return users::is_guest(conn, user);
    }
    Ok(!users::is_staff(conn, user)?)
}

/// Returns whether a user shares a chat with each of `others`. Reads the user's own chats once, and the
/// others' chats in pages until one is common.
fn shares_chats(conn: &mut AnyConn, user: UserId, others: &[UserId]) -> Result<bool, StorageError> {
    let mut others = others.iter().filter(|other| **other != user).peekable();
    if others.peek().is_none() {
        return Ok(true);
    }
    let own: HashSet<ChatId> = members::chats_of(conn, user)?.into_iter().collect();
    for other in others {
        if !has_one_of(conn, &own, *other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns whether a user is in one of these chats.
fn has_one_of(conn: &mut AnyConn, chats: &HashSet<ChatId>, user: UserId) -> Result<bool, StorageError> {
    let mut after = ChatId(0);
    loop {
        let page = members::chats_of_after(conn, user, after, CHATS_AT_ONCE)?;
        if page.iter().any(|chat| chats.contains(chat)) {
            return Ok(true);
        }
        match page.last() {
            Some(last) if page.len() as i64 == CHATS_AT_ONCE => after = *last,
            _ => return Ok(false),
        }
    }
}
