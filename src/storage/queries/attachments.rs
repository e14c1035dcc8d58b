//! Attachments that a user may fetch, and the lists of them.

use std::collections::HashMap;

use super::membership;
use crate::{
    core::model::{
        Attachment, AttachmentId, AttachmentState, ChatId, FileId, MessageId, Refusal, Timestamp, UserCard,
        UserId, permission::Ability,
    },
    storage::{
        AnyConn, StorageError,
        db::sql::sql,
        tables::{
            attachments::{self, Before},
            users,
        },
    },
};

/// Returns an attachment and its file, if a user may fetch it now: one of a message that the user may read, or an own
/// upload that is not sent yet. Else `NotFound`.
pub fn open_to(
    conn: &mut AnyConn,
    user: UserId,
    id: AttachmentId,
) -> Result<(Attachment, FileId), StorageError> {
    let found = attachments::find(conn, id)?.ok_or(Refusal::NotFound)?;
    let is_own = found.user == user;
    let attachment = found.attachment.filter(|attachment| match attachment.state {
        AttachmentState::Clean => found.message.is_some() || is_own,
        AttachmentState::Scanning => is_own,
        AttachmentState::Blocked => false,
    });
    let attachment = attachment.ok_or(Refusal::NotFound)?;
    membership::authorized(conn, found.chat, user, Ability::Read)?;
    Ok((attachment, found.file))
}

/// Returns whether a user is active. A link to a file ends with its user.
pub fn is_active(conn: &mut AnyConn, user: UserId) -> Result<bool, StorageError> {
    Ok(users::find(conn, user)?.is_some_and(|user| user.is_active))
}

/// An attachment in the list of a chat.
pub struct Listed {
    pub attachment: Attachment,
    pub message: MessageId,
    pub sender: UserCard,
    pub created_at: Timestamp,
}

/// Returns attachments of a chat, the newest first.
pub fn of_chat(
    conn: &mut AnyConn,
    chat: ChatId,
    before: Option<AttachmentId>,
    limit: i64,
) -> Result<Vec<Listed>, StorageError> {
    let before = match before {
        None => Before::ALL,
        Some(id) => place_of(conn, chat, id)?,
    };
    let found = attachments::of_chat(conn, chat, before, limit)?;
    let ids: Vec<i64> = found.iter().filter_map(|upload| upload.message).map(|message| message.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sent = sql!(
        "SELECT i.id, m.sender_id, m.created_at FROM message_ids i JOIN messages m ON m.chat_id = i.chat_id AND m.pos = i.pos \
         WHERE i.id IN ?",
        ids.as_slice()
    )
    .rows::<(MessageId, UserId, Timestamp)>(conn)?;
    let senders: Vec<UserId> = sent.iter().map(|(_, sender, _)| *sender).collect();
    let cards: HashMap<UserId, UserCard> =
        users::cards(conn, &senders)?.into_iter().map(|card| (card.id, card)).collect();
    let listed = found.into_iter().filter_map(|upload| {
        let (message, sender, created_at) = sent.iter().find(|(id, ..)| Some(*id) == upload.message)?;
        Some(Listed {
            attachment: upload.attachment?,
            message: *message,
            sender: cards.get(sender)?.clone(),
            created_at: *created_at,
        })
    });
    Ok(listed.collect())
}

/// Returns the place of an attachment in the list of its chat. One that is gone leaves its page to be loaded again.
fn place_of(conn: &mut AnyConn, chat: ChatId, id: AttachmentId) -> Result<Before, StorageError> {
    let found = attachments::find(conn, id)?.filter(|found| found.chat == chat);
    let message = found.and_then(|found| found.message).ok_or(Refusal::NotFound)?;
    Ok(Before { message, attachment: id })
}
