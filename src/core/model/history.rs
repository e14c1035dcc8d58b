//! The history of messages: their texts before edits.

use clap::ValueEnum;
use serde::Serialize;
use utoipa::ToSchema;

use super::Timestamp;

/// Who sees the earlier texts of edited messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageHistory {
    /// Nobody: earlier texts are not kept.
    #[default]
    Off,
    /// Staff who are members of the chat.
    Staff,
    /// All members of the chat.
    Members,
}

/// An earlier text of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EarlierText)]
pub struct EarlierText {
    pub content: String,
    /// When it was written.
    pub at: Timestamp,
}
