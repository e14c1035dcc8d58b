//! How messages are shown.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Links, UserView};
use crate::model::{ChatId, Message, MessageId, Reaction, Seq, Timestamp, UserId};

/// A message, over REST and in events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView<'a> {
    id: MessageId,
    chat: ChatId,
    /// Up to 5,000 characters, never escaped: show it as text. Empty in a tombstone.
    content: &'a str,
    created_at: Timestamp,
    updated_at: Timestamp,
    is_edited: bool,
    /// Whether it is a tombstone.
    is_deleted: bool,
    sender: UserView<'a>,
    /// In the order in which each emoji was first used.
    #[schema(value_type = Vec<Reaction>)]
    reactions: &'a RawValue,
    /// The first 100 who have read it, the sender first; in large chats the sender alone.
    read_by: &'a [UserId],
    /// How many have read it.
    read_count: i64,
    /// The sender's own key for it.
    #[schema(required)]
    client_id: Option<&'a str>,
    /// The number of its latest change: of two copies keep the one with the higher one.
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

/// A message found by a search.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundMessage)]
pub struct FoundMessageView<'a> {
    #[serde(flatten)]
    pub message: MessageView<'a>,
    /// Where what was looked for stands in the content: characters, the end exclusive.
    #[schema(value_type = Vec<[usize; 2]>)]
    pub highlights: Vec<(usize, usize)>,
}
