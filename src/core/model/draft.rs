//! Drafts: messages that members have begun to write.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChatId, MessageId, Timestamp, UserId, mentions::Mentions, text::DraftText};

/// A message that a member has begun to write. Only the member sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Draft {
    #[serde(rename = "chat_id")]
    pub chat: ChatId,
    /// The root of the thread that it belongs to; null: the chat's timeline.
    #[schema(required)]
    pub thread: Option<MessageId>,
    /// The text as it was typed.
    pub content: String,
    /// The message that it replies to.
    #[schema(required)]
    pub reply_to: Option<MessageId>,
    pub mentions: Mentions,
    pub updated_at: Timestamp,
}

/// What a draft is to contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDraft {
    pub content: DraftText,
    pub reply_to: Option<MessageId>,
    pub mentions: Mentions,
}

impl NewDraft {
    /// Returns whether it contains nothing, which removes the draft.
    pub fn is_empty(&self) -> bool {
        self.content.as_str().is_empty() && self.reply_to.is_none()
    }
}

/// A draft was saved or removed. Only its writer receives the event, which has no sequence number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftChanged {
    pub user: UserId,
    pub chat: ChatId,
    pub thread: Option<MessageId>,
    /// `None`: it was removed or sent.
    pub draft: Option<Draft>,
}
