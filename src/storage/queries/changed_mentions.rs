//! What a backfill returns of mentions: the counts of the listeners, if messages were edited or deleted.

use std::collections::HashMap;

use super::mentions;
use crate::{
    core::model::{
        Change, Chat, Event, Lane, Message, UserId,
        threads::{OwnChange, OwnKind},
    },
    storage::{
        AnyConn, StorageError,
        db::sql::sql,
        tables::{
            mentions::{EVERYONE, at},
            threads as heads,
        },
    },
};

/// Adds the present number of unread mentions of each listener, with the number of the chat. Which edit changed it is not
/// stored, so it is told of the last message that was edited or deleted.
pub(super) fn add(
    conn: &mut AnyConn,
    chat: &Chat,
    listeners: &[UserId],
    events: &mut Vec<Event>,
) -> Result<(), StorageError> {
    let changed = events.iter().rev().find_map(|event| match &event.change {
        // It may be here for another reason, such as a reaction.
        Change::MessageEdited { message, .. } => {
            Some(message).filter(|message| message.is_edited || message.mentions.is_some())
        }
        Change::MessageDeleted { tombstone, .. } => Some(tombstone),
        _ => None,
    });
    let Some(message) = changed else { return Ok(()) };
    let id = message.id;
    let mentioned = match lane_of(conn, message)? {
        Some((lane, pos)) => at(conn, lane, pos)?,
        None => Vec::new(),
    };
    let mentioned = mentioned.into_iter().filter(|row| row.weight != 0);
    let weights: HashMap<UserId, i64> = mentioned.map(|row| (row.user_id, row.weight)).collect();
    let users = ever_mentioned(conn, chat, listeners)?;
    if users.is_empty() {
        return Ok(());
    }
    let counts = mentions::unread_of_members(conn, chat.id, chat.seq, &users)?;
    let own = counts.into_iter().map(|(user, unread_mentions)| {
        let is_mentioned =
            weights.get(&user).or_else(|| weights.get(&EVERYONE)).is_some_and(|weight| *weight > 0);
        OwnChange { user, kind: OwnKind::MentionsChanged { message: id, is_mentioned, unread_mentions } }
    });
    let own: Vec<OwnChange> = own.collect();
    match events.last_mut() {
        Some(last) if last.seq == chat.seq => last.own.extend(own),
        _ => events.push(Event { own, ..Event::new(chat.id, chat.seq, Change::OwnOnly) }),
    }
    Ok(())
}

/// Returns those of the listeners whom some message of the timeline mentions, or has mentioned. The others have no unread
/// mentions that could have changed.
fn ever_mentioned(conn: &mut AnyConn, chat: &Chat, listeners: &[UserId]) -> Result<Vec<i64>, StorageError> {
    let asked: Vec<i64> = listeners.iter().chain([&EVERYONE]).map(|user| user.0).collect();
    let key = Lane::Chat(chat.id).key();
    let rows = sql!(
        "SELECT DISTINCT user_id FROM mention_counts WHERE lane = ? AND user_id IN ?",
        key,
        asked.as_slice()
    );
    let mut users = rows.rows::<i64>(conn)?;
    if users.contains(&EVERYONE.0) {
        users = listeners.iter().map(|user| user.0).collect();
    }
    Ok(users)
}

/// Returns a place of a message: in the timeline, or in its thread.
fn lane_of(conn: &mut AnyConn, message: &Message) -> Result<Option<(Lane, i64)>, StorageError> {
    if message.is_in_timeline() {
        return Ok(Some((Lane::Chat(message.chat), message.pos)));
    }
    let Some(root) = message.thread else { return Ok(None) };
    let Some(head) = heads::find(conn, root)? else { return Ok(None) };
    let pos = heads::pos_of(conn, &head, message.id)?;
    Ok(pos.map(|pos| (Lane::Thread(root), pos)))
}
