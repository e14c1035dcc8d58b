//! How messages are shown.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Links, UserView};
use crate::model::{ChatId, Message, MessageId, Seq, Timestamp, UserId};

/// A message, over REST and in events.
#[derive(Debug, Serialize)]
pub struct MessageView<'a> {
    id: MessageId,
    chat: ChatId,
    content: &'a str,
    created_at: Timestamp,
    updated_at: Timestamp,
    is_edited: bool,
    is_deleted: bool,
    sender: UserView<'a>,
    reactions: &'a RawValue,
    read_by: &'a [UserId],
    read_count: i64,
    client_id: Option<&'a str>,
    seq: Seq,
}

impl<'a> MessageView<'a> {
    pub fn new(message: &'a Message, links: &Links) -> Self {
        Self {
            id: message.id,
            chat: message.chat,
            content: &message.content,
            created_at: message.created_at,
            updated_at: message.updated_at,
            is_edited: message.is_edited,
            is_deleted: message.is_deleted,
            sender: UserView::new(&message.sender, links),
            reactions: serde_json::from_str(&message.reactions).unwrap_or(RawValue::NULL),
            read_by: &message.read_by,
            read_count: message.read_count,
            client_id: message.client_id.as_deref(),
            seq: message.seq,
        }
    }
}
