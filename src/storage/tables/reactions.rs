//! Reactions on messages. The rows are the source of truth; each message also keeps its displayed list as
//! JSON.

use super::locks;
use crate::{
    core::model::{ChatId, MessageId, Reaction, Seq, UserId, records::LISTED_USERS},
    storage::{
        AnyConn, StorageError,
        db::{
            sql::sql,
            steps::{STEP, delete_some},
        },
    },
};

/// Returns whether a user has reacted to a message with an emoji.
pub fn exists(
    conn: &mut AnyConn,
    place: (ChatId, MessageId),
    emoji: &str,
    user: UserId,
) -> Result<bool, StorageError> {
    let row = sql!(
        // In the order of the key: without statistics PostgreSQL would scan all reactions with this emoji.
        "SELECT seq FROM reactions WHERE chat_id = ? AND message_id = ? AND emoji = ? \
         AND user_id BETWEEN ? AND ? ORDER BY user_id LIMIT 1",
        place.0,
        place.1,
        emoji,
        user,
        user
    );
    Ok(row.first::<i64>(conn)?.is_some())
}

/// Adds a new reaction, and adds it to the displayed list. A new emoji becomes the last of the list.
pub fn add(
    conn: &mut AnyConn,
    place: (ChatId, MessageId),
    emoji: &str,
    user: UserId,
    seq: Seq,
    shown: &mut Vec<Reaction>,
) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO reactions (chat_id, message_id, emoji, user_id, seq) VALUES (?, ?, ?, ?, ?)",
        place.0,
        place.1,
        emoji,
        user,
        seq
    )
    .run(conn)?;
    match shown.iter_mut().find(|reaction| reaction.emoji == emoji) {
        None => shown.push(Reaction { emoji: emoji.to_owned(), count: 1, users: vec![user] }),
        Some(reaction) => {
            reaction.count += 1;
            if reaction.users.len() < LISTED_USERS {
                reaction.users.push(user);
            }
        }
    }
    Ok(())
}

/// Removes an existing reaction, also from the displayed list.
pub fn remove(
    conn: &mut AnyConn,
    place: (ChatId, MessageId),
    emoji: &str,
    user: UserId,
    shown: &mut Vec<Reaction>,
) -> Result<(), StorageError> {
    sql!(
        "DELETE FROM reactions WHERE chat_id = ? AND message_id = ? AND emoji = ? AND user_id = ?",
        place.0,
        place.1,
        emoji,
        user
    )
    .run(conn)?;
    if let Some(reaction) = shown.iter_mut().find(|reaction| reaction.emoji == emoji) {
        reaction.count -= 1;
        if reaction.users.contains(&user) {
            reaction.users = first_users(conn, place, emoji)?;
        }
    }
    shown.retain(|reaction| reaction.count > 0);
    Ok(())
}

/// Deletes up to `STEP` reactions of a deleted message and queues the rest for [`clear_left`]. The rest is
/// invisible: reactions of deleted messages are never read. Returns whether there may be more.
pub fn clear(conn: &mut AnyConn, place: (ChatId, MessageId)) -> Result<bool, StorageError> {
    let is_more = clear_some(conn, place)?;
    if is_more {
        sql!("INSERT INTO reactions_left (chat_id, message_id) VALUES (?, ?)", place.0, place.1).run(conn)?;
    }
    Ok(is_more)
}

/// Deletes up to `STEP` queued reactions of one deleted message. Returns whether there was such a message.
pub fn clear_left(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let Some(place) = locks::reactions_left(conn)? else { return Ok(false) };
    if !clear_some(conn, place)? {
        sql!("DELETE FROM reactions_left WHERE chat_id = ? AND message_id = ?", place.0, place.1)
            .run(conn)?;
    }
    Ok(true)
}

/// Deletes up to [`STEP`] reactions of a message. Returns whether there may be more.
fn clear_some(conn: &mut AnyConn, place: (ChatId, MessageId)) -> Result<bool, StorageError> {
    let (chat, message) = place;
    let removed = delete_some!(
        conn,
        "reactions",
        "chat_id, message_id, emoji, user_id",
        "chat_id = ? AND message_id = ?",
        chat,
        message
    )?;
    Ok(removed as i64 == STEP)
}

/// Returns the first users that reacted with an emoji, in the order of their reactions.
fn first_users(
    conn: &mut AnyConn,
    place: (ChatId, MessageId),
    emoji: &str,
) -> Result<Vec<UserId>, StorageError> {
    let rows = sql!(
        "SELECT user_id FROM reactions WHERE chat_id = ? AND message_id = ? AND emoji = ? \
         ORDER BY seq, user_id LIMIT ?",
        place.0,
        place.1,
        emoji,
        LISTED_USERS as i64
    );
    Ok(rows.rows::<UserId>(conn)?)
}
