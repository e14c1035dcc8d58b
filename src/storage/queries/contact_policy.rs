//! Whom one may begin to write to: whether two share a chat, as far as that matters.

use std::collections::HashSet;

use crate::{
    core::model::{ChatId, Contacts, Refusal, UserId},
    storage::{
        AnyConn, Rules, StorageError,
        tables::{blocks, members, users},
    },
};

/// How many chats of another user are read at once.
const CHATS_AT_ONCE: i64 = 64;

/// Expects that `by` may begin chats with others, whoever they are, and bring them into chats.
pub fn expect_may_begin(conn: &mut AnyConn, rules: &Rules, by: UserId) -> Result<(), StorageError> {
    match rules.contacts.begins() {
        Err(refusal) if !users::is_staff(conn, by)? => Err(refusal.into()),
        _ => Ok(()),
    }
}

/// Expects that `by` may begin chats with these people, and bring them into chats.
pub fn expect_reached(
    conn: &mut AnyConn,
    rules: &Rules,
    by: UserId,
    others: &[UserId],
) -> Result<(), StorageError> {
    let Err(refusal) = rules.contacts.meets_strangers() else { return Ok(()) };
    if users::is_staff(conn, by)? || shares_chats(conn, by, others)? { Ok(()) } else { Err(refusal.into()) }
}

/// Expects that `by` may know that there is such a user: oneself, those with whom one shares a chat, those whom one has
/// blocked. Anybody else is like one that does not exist.
pub fn expect_known(
    conn: &mut AnyConn,
    rules: &Rules,
    by: UserId,
    other: UserId,
) -> Result<(), StorageError> {
    let is_known = by == other
        || !is_limited(conn, rules, by)?
        || shares_chats(conn, by, &[other])?
        || blocks::has_blocked(conn, by, other)?;
    if is_known { Ok(()) } else { Err(Refusal::NotFound.into()) }
}

/// Whether somebody finds only those with whom they share a chat.
pub fn is_limited(conn: &mut AnyConn, rules: &Rules, user: UserId) -> Result<bool, StorageError> {
    Ok(rules.contacts != Contacts::All && !users::is_staff(conn, user)?)
}

/// Whether a user shares a chat with each of `others`. Reads the user's chats once, and of each other only as many as
/// it takes to find a common one.
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

/// Whether a user is in one of these chats.
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
