//! Previews of links: shown by the messages that have the links, and removed by their senders.

use super::part_change;
use crate::{
    core::model::{
        ChatId, Message, MessageId, Preview, Refusal, UserId,
        event::{Answer, Done},
        permission::Ability,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::membership,
        tables::{chats, message_parts, messages},
    },
};

/// Shows previews with a message, as far as its text still has the links.
pub(crate) fn show(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    id: MessageId,
    found: &[Preview],
) -> Result<Done, StorageError> {
    let message = messages::in_chat(conn, chat, id)?.filter(|message| !message.is_deleted);
    let mut message = message.ok_or(Refusal::NotFound)?;
    let before = message.previews.clone();
    let links = message.links();
    message.previews.show(&links, found);
    if message.previews == before {
        return Ok(Done::unchanged(Answer::Done));
    }
    store(conn, policy, message)
}

/// Removes one of the previews of a message for good. Only its sender may.
pub(crate) fn remove(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    by: UserId,
    id: MessageId,
    index: usize,
) -> Result<Done, StorageError> {
    membership::authorized(conn, chat, by, Ability::TakePart)?;
    let message = messages::in_chat(conn, chat, id)?.filter(|message| !message.is_deleted);
    let mut message = message.ok_or(Refusal::NotFound)?;
    if message.sender.id != by {
        return Err(Refusal::Forbidden.into());
    }
    if index >= message.previews.shown.len() {
        return Err(Refusal::NotFound.into());
    }
    let removed = message.previews.shown.remove(index);
    message.previews.removed.push(removed.url);
    store(conn, policy, message)
}

/// Drops the previews of links that an edit has taken away.
pub(super) fn follow_text(conn: &mut AnyConn, message: &mut Message) -> Result<(), StorageError> {
    if message.previews.is_empty() {
        return Ok(());
    }
    let before = message.previews.clone();
    let links = message.links();
    message.previews.show(&links, &[]);
    if message.previews != before { message_parts::set_previews(conn, message) } else { Ok(()) }
}

fn store(conn: &mut AnyConn, policy: &StoragePolicy, message: Message) -> Result<Done, StorageError> {
    let chat = chats::find(conn, message.chat)?.ok_or(Refusal::NotFound)?;
    part_change::apply(conn, policy, (chat, message), message_parts::set_previews)
}
