//! Posting, editing and deleting messages.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{bulk_insert::Poster, outcome::take_number};
use crate::{
    core::model::{
        Change, Chat, ChatId, Command, Event, Message, MessageId, Refusal, Timestamp, UserCard, UserId,
        command::Action,
        event::{Answer, Done},
        permission::Ability,
        text::{ClientId, MessageBody},
    },
    storage::{
        AnyConn, Rules, StorageError,
        queries::membership::{self, Membership},
        tables::{
            chats, members,
            messages::{self, NewMessage, Posted},
            reactions, tombstones,
        },
    },
};

/// What is asked for when somebody posts.
#[derive(Clone, Copy)]
pub(crate) struct Post<'a> {
    pub chat: ChatId,
    pub sender: &'a UserCard,
    pub body: &'a MessageBody,
    pub client_id: Option<&'a ClientId>,
}

impl<'a> Post<'a> {
    /// The post that a command is, if it is one.
    pub fn of(command: &'a Command) -> Option<Self> {
        let Action::PostMessage { sender, body, client_id } = &command.action else { return None };
        Some(Self { chat: command.chat, sender, body, client_id: client_id.as_ref() })
    }

    /// Who posts it.
    pub fn poster(&self) -> Poster<'a> {
        let client_id = self.client_id.map(ClientId::as_str);
        Poster { chat: self.chat, user: self.sender.id, client_id }
    }

    /// The message that it becomes, at the chat's next place, as its next change.
    pub fn take_place(&self, rules: &Rules, chat: &mut Chat) -> NewMessage {
        take_number(chat);
        chat.last_pos += 1;
        chat.last_live_pos = chat.last_pos;
        // The clock may go back; a chat's times do not.
        chat.updated_at = Timestamp::now().max(chat.updated_at);
        let message = Message {
            id: MessageId(0),
            chat: chat.id,
            pos: chat.last_pos,
            seq: chat.seq,
            content: self.body.as_str().to_owned(),
            created_at: chat.updated_at,
            updated_at: chat.updated_at,
            is_edited: false,
            is_deleted: false,
            sender: self.sender.clone(),
            client_id: self.client_id.map(|id| id.as_str().to_owned()),
            reactions: "[]".to_owned(),
            read_by: vec![self.sender.id],
            read_count: 1,
        };
        NewMessage { message, content_hash: self.content_hash(rules) }
    }

    /// Keyed hash of the content, where there is a client id under which it may come again.
    fn content_hash(&self, rules: &Rules) -> Option<Vec<u8>> {
        self.client_id.map(|_| content_hash(rules, self.body))
    }
}

/// What came of a message that is stored.
pub(crate) fn posted(message: Message) -> Done {
    let event = Event { chat: message.chat, seq: message.seq, change: Change::MessagePosted { message } };
    Done { answer: Answer::Message, event: Some(Arc::new(event)), quiet_marker: None }
}

/// The same client id again: the same content gets the message as it is now, other content is a conflict. Once the
/// message is deleted its content is gone, and any repeat gets the tombstone.
pub(crate) fn repeated(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: &Chat,
    earlier: &Posted,
    post: &Post,
) -> Result<Done, StorageError> {
    if earlier.content_hash.is_some() && earlier.content_hash != post.content_hash(rules) {
        return Err(Refusal::Conflict.into());
    }
    let mut message = messages::at(conn, chat.id, earlier.pos)?.ok_or(diesel::result::Error::NotFound)?;
    message.note_readers(&members::readers(conn, chat, rules.receipts_max_members)?);
    Ok(Done::unchanged(Answer::Unchanged(Box::new(message))))
}

pub(crate) fn edit(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: ChatId,
    by: UserId,
    id: MessageId,
    body: &MessageBody,
) -> Result<Done, StorageError> {
    let (mut chat, mut message) = own_message(conn, chat, by, id, |own| Ability::EditMessage { own })?;
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

pub(crate) fn delete(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: ChatId,
    by: UserId,
    id: MessageId,
) -> Result<Done, StorageError> {
    let (mut chat, mut message) = own_message(conn, chat, by, id, |own| Ability::DeleteMessage { own })?;
    take_number(&mut chat);
    message.seq = chat.seq;
    message.is_deleted = true;
    message.content.clear();
    message.reactions = "[]".to_owned();
    message.updated_at = Timestamp::now().max(message.updated_at);
    messages::bury(conn, (chat.id, message.pos), message.seq, message.updated_at)?;
    let is_left = reactions::clear(conn, (chat.id, message.id))?;
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
    Ok(Done::changed(&chat, Answer::Deleted { is_left }, change))
}

/// A message that is the caller's to change: not there for who is not in the chat, or once deleted; forbidden where
/// somebody else sent it.
fn own_message(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    id: MessageId,
    ability: impl FnOnce(bool) -> Ability,
) -> Result<(Chat, Message), StorageError> {
    let (membership, message) = visible_message(conn, chat, by, id)?;
    membership.authorize(ability(message.sender.id == by))?;
    Ok((membership.chat, message))
}

/// A message that the caller can see and that is not deleted.
pub(crate) fn visible_message(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    id: MessageId,
) -> Result<(Membership, Message), StorageError> {
    let membership = membership::authorized(conn, chat, by, Ability::TakePart)?;
    let message = messages::in_chat(conn, chat, id)?.filter(|m| !m.is_deleted).ok_or(Refusal::NotFound)?;
    Ok((membership, message))
}

fn content_hash(rules: &Rules, body: &MessageBody) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&rules.content_key).expect("HMAC takes keys of any length");
    mac.update(body.as_str().as_bytes());
    mac.finalize().into_bytes().to_vec()
}
