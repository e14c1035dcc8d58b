//! Posting, editing and deleting messages.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::take_number;
use crate::{
    model::{
        Change, Chat, ChatId, Message, MessageId, Refusal, Timestamp, UserCard, UserId,
        event::{Answer, Done},
        permission::{Ability, authorize},
        text::{ClientId, MessageBody},
    },
    storage::{
        AnyConn, Rules, StorageError,
        chats::{self, Membership},
        members,
        messages::{self, NewMessage, Posted},
        reactions, tombstones,
    },
};

pub(super) fn post(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: ChatId,
    sender: &UserCard,
    body: &MessageBody,
    client_id: Option<&ClientId>,
) -> Result<Done, StorageError> {
    let mut chat = chats::authorized(conn, chat, sender.id, Ability::TakePart)?.chat;
    let client_id = client_id.map(ClientId::as_str);
    let hash = client_id.map(|_| content_hash(rules, body));
    if let Some(client_id) = client_id
        && let Some(posted) = messages::by_client_id(conn, chat.id, sender.id, client_id)?
    {
        return repeated(conn, rules, &chat, posted, hash.as_deref());
    }
    take_number(&mut chat);
    chat.last_pos += 1;
    chat.last_live_pos = chat.last_pos;
    // The clock may go back; a chat's times do not.
    chat.updated_at = Timestamp::now().max(chat.updated_at);
    let new = NewMessage {
        chat: &chat,
        sender: sender.id,
        content: body.as_str(),
        client_id,
        content_hash: hash.as_deref(),
    };
    let id = messages::insert(conn, &new)?;
    chats::update(conn, &chat)?;
    let message = Message {
        id,
        chat: chat.id,
        pos: chat.last_pos,
        seq: chat.seq,
        content: body.as_str().to_owned(),
        created_at: chat.updated_at,
        updated_at: chat.updated_at,
        is_edited: false,
        is_deleted: false,
        sender: sender.clone(),
        client_id: client_id.map(str::to_owned),
        reactions: "[]".to_owned(),
        read_by: vec![sender.id],
        read_count: 1,
    };
    Ok(Done::changed(&chat, Answer::Message, Change::MessagePosted { message }))
}

/// The same client id again: the same content gets the message as it is now, other content is a conflict. Once the
/// message is deleted its content is gone, and any repeat gets the tombstone.
fn repeated(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: &Chat,
    posted: Posted,
    hash: Option<&[u8]>,
) -> Result<Done, StorageError> {
    if posted.content_hash.is_some() && posted.content_hash.as_deref() != hash {
        return Err(Refusal::Conflict.into());
    }
    let mut message = messages::at(conn, chat.id, posted.pos)?.ok_or(diesel::result::Error::NotFound)?;
    message.note_readers(&members::readers(conn, chat, rules.receipts_max_members)?);
    Ok(Done::unchanged(Answer::Unchanged(Box::new(message))))
}

pub(super) fn edit(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: ChatId,
    by: UserId,
    id: MessageId,
    body: &MessageBody,
) -> Result<Done, StorageError> {
    let (mut chat, mut message) = own_message(conn, chat, by, id)?;
    message.note_readers(&members::readers(conn, &chat, rules.receipts_max_members)?);
    if message.content == body.as_str() {
        return Ok(Done::unchanged(Answer::Unchanged(Box::new(message))));
    }
    take_number(&mut chat);
    message.seq = chat.seq;
    message.content = body.as_str().to_owned();
    message.is_edited = true;
    message.updated_at = Timestamp::now().max(message.updated_at);
    messages::edit(conn, (chat.id, message.pos), body.as_str(), message.seq, message.updated_at)?;
    chats::update(conn, &chat)?;
    Ok(Done::changed(&chat, Answer::Message, Change::MessageEdited { message }))
}

pub(super) fn delete(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: ChatId,
    by: UserId,
    id: MessageId,
) -> Result<Done, StorageError> {
    let (mut chat, mut message) = own_message(conn, chat, by, id)?;
    take_number(&mut chat);
    message.seq = chat.seq;
    message.is_deleted = true;
    message.content.clear();
    message.reactions = "[]".to_owned();
    message.updated_at = Timestamp::now().max(message.updated_at);
    messages::bury(conn, (chat.id, message.pos), message.seq, message.updated_at)?;
    reactions::clear(conn, (chat.id, message.id))?;
    tombstones::record(conn, chat.id, by, message.pos)?;
    chat.deleted_count += 1;
    if chat.last_live_pos == message.pos {
        chat.last_live_pos = tombstones::last_live_before(conn, chat.id, message.pos)?;
    }
    chats::update(conn, &chat)?;
    let mut last_message = messages::last_live(conn, &chat)?;
    if let Some(last) = &mut last_message {
        last.note_readers(&members::readers(conn, &chat, rules.receipts_max_members)?);
    }
    message.note_readers(&[]);
    let change = Change::MessageDeleted { tombstone: message, last_message };
    Ok(Done::changed(&chat, Answer::Done, change))
}

/// A message that is the caller's to change: not there for who is not in the chat, or once deleted; forbidden where
/// somebody else sent it.
fn own_message(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    id: MessageId,
) -> Result<(Chat, Message), StorageError> {
    let (membership, message) = visible_message(conn, chat, by, id)?;
    let ability = Ability::ChangeMessage { own: message.sender.id == by };
    authorize(&membership.chat, membership.role, false, ability)?;
    Ok((membership.chat, message))
}

/// A message that the caller can see and that is not deleted.
pub(super) fn visible_message(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    id: MessageId,
) -> Result<(Membership, Message), StorageError> {
    let membership = chats::authorized(conn, chat, by, Ability::TakePart)?;
    let message = messages::in_chat(conn, chat, id)?.filter(|m| !m.is_deleted).ok_or(Refusal::NotFound)?;
    Ok((membership, message))
}

fn content_hash(rules: &Rules, body: &MessageBody) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&rules.content_key).expect("HMAC takes keys of any length");
    mac.update(body.as_str().as_bytes());
    mac.finalize().into_bytes().to_vec()
}
