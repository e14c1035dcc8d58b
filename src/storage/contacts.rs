//! Whom one may begin to write to: whether two share a chat, as far as that matters.

use super::{AnyConn, Rules, StorageError, sql::sql, users};
use crate::model::{Contacts, UserId};

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

/// Whether somebody finds only those with whom they share a chat.
pub fn is_limited(conn: &mut AnyConn, rules: &Rules, user: UserId) -> Result<bool, StorageError> {
    Ok(rules.contacts != Contacts::All && !users::is_staff(conn, user)?)
}

/// Whether a user shares a chat with each of `others`.
fn shares_chats(conn: &mut AnyConn, user: UserId, others: &[UserId]) -> Result<bool, StorageError> {
    for other in others.iter().filter(|other| **other != user) {
        let shared = sql!(
            "SELECT m.chat_id FROM members m JOIN members o ON o.chat_id = m.chat_id AND o.user_id = ? \
             WHERE m.user_id = ? AND m.left_seq IS NULL AND o.left_seq IS NULL LIMIT 1",
            *other,
            user
        );
        if shared.first::<(i64,)>(conn)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
