//! Who reacted with what. The rows decide; each message keeps the list that is shown, rendered.

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

/// Whether a user has put an emoji on a message.
pub fn exists(
    conn: &mut AnyConn,
    place: (ChatId, MessageId),
    emoji: &str,
    user: UserId,
) -> Result<bool, StorageError> {
    let row = sql!(
        // In the order of the key: without statistics PostgreSQL walks through all who reacted so.
        "SELECT seq FROM reactions WHERE chat_id = ? AND message_id = ? AND emoji = ? \
         AND user_id BETWEEN ? AND ? ORDER BY user_id LIMIT 1",
        place.0,
        place.1,
        emoji,
        user,
        user
    );
    Ok(row.first::<(i64,)>(conn)?.is_some())
}

/// Adds a reaction that is not there, and to the list that is shown: an emoji that is new goes last.
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

/// Removes a reaction that is there, also from the list that is shown.
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

/// Removes reactions of a message that is deleted; what one step does not get is left for later. Nobody asks for those of a
/// message that is not there. Returns whether there may be more.
pub fn clear(conn: &mut AnyConn, place: (ChatId, MessageId)) -> Result<bool, StorageError> {
    let is_more = clear_some(conn, place)?;
    if is_more {
        sql!("INSERT INTO reactions_left (chat_id, message_id) VALUES (?, ?)", place.0, place.1).run(conn)?;
    }
    Ok(is_more)
}

/// Goes on with a message of which some are left, if there is one. Returns whether there was.
pub fn clear_left(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let Some(place) = locks::reactions_left(conn)? else { return Ok(false) };
    if !clear_some(conn, place)? {
        sql!("DELETE FROM reactions_left WHERE chat_id = ? AND message_id = ?", place.0, place.1)
            .run(conn)?;
    }
    Ok(true)
}

/// Removes some reactions of a message. Returns whether there may be more.
fn clear_some(conn: &mut AnyConn, place: (ChatId, MessageId)) -> Result<bool, StorageError> {
    let (chat, message) = place;
    let removed =
        delete_some!(conn, "reactions", "emoji, user_id", "chat_id = ? AND message_id = ?", chat, message)?;
    Ok(removed as i64 == STEP)
}

/// The first users of an emoji, in the order in which they reacted.
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
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| UserId(id)).collect())
}
