//! Pinning and unpinning messages.

use super::outcome::take_number;
use crate::{
    core::model::{
        Change, ChatId, FieldErrors, MessageId, Refusal, UserId,
        event::{Answer, Done},
        permission::Ability,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::membership,
        tables::{chats, members, messages, pins},
    },
};

/// Most pinned messages of a chat.
const MAX_PINS: i64 = 50;

pub(crate) fn set(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    by: UserId,
    id: MessageId,
    is_pinned: bool,
) -> Result<Done, StorageError> {
    let mut chat = membership::authorized(conn, chat, by, Ability::Pin)?.chat;
    let was_pinned = pins::is_pinned(conn, chat.id, id)?;
    let message = messages::in_chat(conn, chat.id, id)?;
    // A node of an earlier version leaves deleted messages pinned.
    let message = message.filter(|message| !message.is_deleted || (was_pinned && !is_pinned));
    let mut message = message.ok_or(Refusal::NotFound)?;
    message.note_readers(&members::readers(conn, &chat, policy.receipts_max_members)?);
    let answer = Answer::Unchanged(Box::new(message.clone()));
    if was_pinned == is_pinned {
        return Ok(Done::unchanged(answer));
    }
    if is_pinned && pins::count(conn, chat.id)? >= MAX_PINS {
        let sentence = format!("A chat has no more than {MAX_PINS} pinned messages.");
        return Err(FieldErrors::whole(sentence).into());
    }
    take_number(&mut chat);
    pins::set(conn, chat.id, id, is_pinned, chat.seq)?;
    chats::update(conn, &chat)?;
    let count = pins::count(conn, chat.id)?;
    let (added, removed) = if is_pinned { (vec![message], Vec::new()) } else { (Vec::new(), vec![id]) };
    Ok(Done::changed(&chat, answer, Change::PinsChanged { added, removed, count }))
}
