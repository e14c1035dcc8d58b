//! Posting, editing and deleting messages.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{detach, mentions, outcome::take_number, previews, threads};
use crate::{
    core::model::{
        Change, Chat, ChatId, Command, Custom, FieldErrors, Forwarded, Lane, Message, MessageId, NewMessage,
        Previews, Quote, Refusal, Seq, Timestamp, UserCard, UserId,
        command::{Action, MessageEdit},
        event::{Answer, Done},
        mentions::Mentions,
        permission::Ability,
        text::{BLANK, ClientId, MessageBody},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::membership::{self, Membership},
        tables::{
            attachments::Attached,
            chats,
            client_ids::{self, Posted},
            members,
            mentions::ResolvedMentions,
            message_versions,
            messages::{self, UnstoredMessage},
            pins, reactions, tombstones,
        },
    },
};

/// The sender of a post, with its chat and its client id, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Poster<'a> {
    pub chat: ChatId,
    pub user: UserId,
    pub client_id: Option<&'a str>,
}

/// A request to post a message.
#[derive(Clone, Copy)]
pub(crate) struct Post<'a> {
    pub chat: ChatId,
    pub sender: &'a UserCard,
    pub new: &'a NewMessage,
    /// The chat's `members_seq` at which its actor has decided that the sender may post. `None`: it is decided
    /// here.
    pub decided_at: Option<Seq>,
}

/// What a new message refers to.
#[derive(Default)]
pub(super) struct Referred {
    pub(super) quote: Option<Quote>,
    pub(super) forwarded: Option<Forwarded>,
    pub(super) mentions: Option<Box<ResolvedMentions>>,
    pub(super) attached: Option<Box<Attached>>,
    /// When the thread's latest reply was posted.
    pub(super) last_reply_at: Option<Timestamp>,
}

impl<'a> Post<'a> {
    /// Returns the post of a command; `None` for any other kind of command.
    pub(super) fn of(command: &'a Command) -> Option<Self> {
        let Action::PostMessage { sender, new } = &command.action else { return None };
        Some(Self { chat: command.chat, sender, new, decided_at: None })
    }

    /// Returns the sender with the chat and the client id.
    pub(super) fn poster(&self) -> Poster<'a> {
        let client_id = self.new.client_id.as_ref().map(ClientId::as_str);
        Poster { chat: self.chat, user: self.sender.id, client_id }
    }

    /// Builds the message at the chat's next position, as the chat's next change. `referred`: the
    /// messages that it refers to.
    pub(super) fn take_place(
        &self,
        policy: &StoragePolicy,
        chat: &mut Chat,
        referred: Referred,
    ) -> UnstoredMessage {
        take_number(chat);
        // The system clock may go back. The times of a chat and of a thread never do.
        let now = Timestamp::now().max(chat.updated_at);
        let now = referred.last_reply_at.map_or(now, |last| now.max(last));
        let pos = if self.new.thread.is_none() || self.new.also_in_chat {
            chat.last_pos += 1;
            chat.last_live_pos = chat.last_pos;
            chat.updated_at = now;
            chat.last_pos
        } else {
            chat.reply_count += 1;
            -chat.reply_count
        };
        let message = Message {
            id: MessageId(0),
            chat: chat.id,
            pos,
            seq: chat.seq,
            content: self.new.body.as_str().to_owned(),
            created_at: now,
            updated_at: now,
            is_edited: false,
            is_deleted: false,
            sender: self.sender.clone(),
            client_id: self.new.client_id.as_ref().map(|id| id.as_str().to_owned()),
            reactions: "[]".to_owned(),
            custom: self.new.custom.clone(),
            reply_to: referred.quote.map(Box::new),
            forwarded_from: referred.forwarded.map(Box::new),
            mentions: referred.mentions.as_ref().and_then(|resolved| resolved.mentions.stored()),
            attachments: referred.attached.as_ref().map(|attached| attached.list.clone()).unwrap_or_default(),
            previews: Previews::default(),
            thread: self.new.thread,
            thread_info: None,
            read_by: vec![self.sender.id],
            read_count: 1,
        };
        UnstoredMessage {
            message,
            mentions: referred.mentions,
            attached: referred.attached,
            content_hash: self.content_hash(policy),
        }
    }

    /// Returns the keyed hash of what makes a retry the same message. `None` without a client id: only a post with one can be
    /// retried.
    fn content_hash(&self, policy: &StoragePolicy) -> Option<Vec<u8>> {
        self.new.client_id.as_ref().map(|_| content_hash(policy, self.new))
    }
}

/// Answers a retry under the same client id (idempotency key). `None` if nothing was posted under it.
pub(super) fn repeated(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &Chat,
    post: &Post,
) -> Result<Option<Done>, StorageError> {
    let Some(client_id) = &post.new.client_id else { return Ok(None) };
    let earlier = client_ids::by_client_id(conn, chat.id, post.sender.id, client_id.as_str())?;
    earlier.map(|earlier| repeat_of(conn, policy, chat, &earlier, post)).transpose()
}

/// Answers a retry of a known message. The same content gets the message in its current state; other content is
/// a conflict. The content of a deleted message is gone, so any retry gets the tombstone.
pub(super) fn repeat_of(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &Chat,
    earlier: &Posted,
    post: &Post,
) -> Result<Done, StorageError> {
    if earlier.content_hash.is_some() && earlier.content_hash != post.content_hash(policy) {
        return Err(Refusal::Conflict.into());
    }
    let mut message = messages::at(conn, chat.id, earlier.pos)?.ok_or(diesel::result::Error::NotFound)?;
    message.note_readers(&members::readers(conn, chat, policy.receipts_max_members)?);
    Ok(Done::unchanged(Answer::Unchanged(Box::new(message))))
}

pub(crate) fn edit(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    by: UserId,
    id: MessageId,
    edit: &MessageEdit,
) -> Result<Done, StorageError> {
    let ability = |own| match (&edit.body, &edit.mentions) {
        (None, None) => Ability::ChangeMessageCustom { own },
        _ => Ability::EditMessage { own },
    };
    let (mut chat, mut message) = changeable_message(conn, chat, by, id, ability)?;
    if edit.mentions.as_ref().is_some_and(|new| new.mentions.concerns_all()) {
        membership::authorized(conn, chat.id, by, Ability::MentionAll)?;
    }
    message.note_readers(&members::readers(conn, &chat, policy.receipts_max_members)?);
    let has_more = message.forwarded_from.is_some() || !message.attachments.is_empty();
    if edit.body.as_ref().is_some_and(|body| body.as_str().is_empty()) && !has_more {
        return Err(FieldErrors::of("content", BLANK).into());
    }
    let body = edit.body.as_ref().filter(|body| body.as_str() != message.content);
    let custom = edit.custom.as_ref().map(|change| message.custom.merge(change)).transpose();
    let custom = custom.map_err(|sentence| FieldErrors::of("custom", sentence))?;
    let custom = custom.filter(|custom| *custom != message.custom);
    let known = Mentions::from_stored(message.mentions.as_deref());
    let mentioned = edit.mentions.as_deref().filter(|new| new.mentions != known);
    if let Some(new) = mentioned {
        let text = body.map_or(message.content.as_str(), MessageBody::as_str);
        new.mentions.check(text).map_err(|sentence| FieldErrors::of("mentions", sentence))?;
    }
    if body.is_none() && custom.is_none() && mentioned.is_none() {
        return Ok(Done::unchanged(Answer::Unchanged(Box::new(message))));
    }
    take_number(&mut chat);
    message.seq = chat.seq;
    if let Some(body) = body {
        if policy.keeps_history {
            message_versions::add(conn, &message, chat.seq)?;
        }
        message.content = body.as_str().to_owned();
        message.is_edited = true;
        previews::follow_text(conn, &mut message)?;
        message.updated_at = Timestamp::now().max(message.updated_at);
    }
    message.custom = custom.unwrap_or(message.custom);
    let (mentions_ignored, own) = mentions::edit(conn, &chat, &mut message, mentioned)?;
    messages::edit(conn, &message)?;
    chats::update(conn, &chat)?;
    let thread = threads::info_of(conn, chat.id, &message)?;
    let event = Change::MessageEdited { message, thread };
    Ok(Done { mentions_ignored, ..Done::changed_with(&chat, Answer::Message, event, own) })
}

pub(crate) fn delete(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    by: UserId,
    id: MessageId,
) -> Result<Done, StorageError> {
    let (mut chat, mut message) =
        changeable_message(conn, chat, by, id, |own| Ability::DeleteMessage { own })?;
    take_number(&mut chat);
    message.seq = chat.seq;
    message.is_deleted = true;
    message.content.clear();
    message.reactions = "[]".to_owned();
    message.custom = Custom::default();
    message.reply_to = None;
    message.forwarded_from = None;
    message.updated_at = Timestamp::now().max(message.updated_at);
    messages::mark_deleted(conn, (chat.id, message.pos), message.seq, message.updated_at)?;
    message_versions::clear(conn, chat.id, message.id)?;
    detach::drop_all(conn, &message.attachments)?;
    message.attachments.clear();
    message.previews = Previews::default();
    let unpinned = unpin(conn, &chat, message.id)?;
    let is_left = reactions::clear(conn, (chat.id, message.id))?;
    if message.is_in_timeline() {
        let lane = Lane::Chat(chat.id);
        tombstones::record(conn, lane, by, message.pos)?;
        chat.deleted_count += 1;
        if chat.last_live_pos == message.pos {
            chat.last_live_pos = tombstones::last_live_before(conn, lane, message.pos)?;
        }
    }
    let thread = threads::take_out(conn, &chat, &message, chat.seq)?;
    let own = mentions::remove(conn, &chat, &mut message)?;
    chats::update(conn, &chat)?;
    let mut last_message = messages::last_live(conn, &chat)?;
    if let Some(last) = &mut last_message {
        last.note_readers(&members::readers(conn, &chat, policy.receipts_max_members)?);
    }
    message.note_readers(&[]);
    let change = Change::MessageDeleted { tombstone: message, thread, last_message, unpinned };
    Ok(Done::changed_with(&chat, Answer::Deleted { is_left }, change, own))
}

/// Unpins a message that is deleted. Returns the number of pinned messages, if it was pinned.
fn unpin(conn: &mut AnyConn, chat: &Chat, message: MessageId) -> Result<Option<i64>, StorageError> {
    if !pins::is_pinned(conn, chat.id, message)? {
        return Ok(None);
    }
    pins::set(conn, chat.id, message, false, chat.seq)?;
    Ok(Some(pins::count(conn, chat.id)?))
}

/// Loads a message that the caller may change. `NotFound` if the caller is not in the chat or the message is
/// deleted. `Forbidden` if only its sender may make this change.
fn changeable_message(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    id: MessageId,
    ability: impl FnOnce(bool) -> Ability,
) -> Result<(Chat, Message), StorageError> {
    let (membership, message) = visible_message(conn, chat, by, id)?;
    let ability = ability(message.sender.id == by);
    if membership.authorize(ability).is_err() {
        // Staff may do more.
        membership::authorized(conn, chat, by, ability)?;
    }
    Ok((membership.chat, message))
}

/// Loads a message that the caller can see and that is not deleted; else `NotFound`.
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

fn content_hash(policy: &StoragePolicy, new: &NewMessage) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&policy.content_key).expect("HMAC takes keys of any length");
    mac.update(new.body.as_str().as_bytes());
    // No text contains these bytes.
    for (mark, id) in [(0xff, new.reply_to), (0xfe, new.forward), (0xfd, new.thread)] {
        if let Some(id) = id {
            mac.update(&[mark]);
            mac.update(&id.0.to_be_bytes());
        }
    }
    for id in &new.attachments {
        mac.update(&[0xfc]);
        mac.update(&id.0.to_be_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}
