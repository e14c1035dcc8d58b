//! What commands bear, the same over REST and sockets.

use serde::Deserialize;

use super::Field;
use crate::model::{
    FieldErrors, MessageId,
    emoji::Emoji,
    ids::MAX_ID,
    text::{ClientId, MessageBody},
};

/// A message to be posted.
#[derive(Deserialize)]
pub struct PostFields {
    #[serde(default)]
    pub content: Field,
    #[serde(default)]
    pub client_id: Field,
}

impl PostFields {
    pub fn check(self) -> Result<(MessageBody, Option<ClientId>), FieldErrors> {
        let mut errors = FieldErrors::default();
        let content = self.content.text().and_then(|text| MessageBody::parse(&text));
        let content = errors.note("content", content);
        let client_id = self.client_id.optional_text();
        let client_id = client_id.and_then(|text| text.map(|text| ClientId::parse(&text)).transpose());
        match (content, errors.note("client_id", client_id)) {
            (Some(content), Some(client_id)) => Ok((content, client_id)),
            _ => Err(errors),
        }
    }
}

/// What is to change of a message.
#[derive(Deserialize)]
pub struct EditFields {
    #[serde(default)]
    pub content: Field,
}

impl EditFields {
    /// What the message is to say; `None` where nothing is to change.
    pub fn check(self, is_whole: bool) -> Result<Option<MessageBody>, FieldErrors> {
        if !self.content.is_given() && !is_whole {
            return Ok(None);
        }
        let body = self.content.text().and_then(|text| MessageBody::parse(&text));
        body.map(Some).map_err(|sentence| FieldErrors::of("content", sentence))
    }
}

/// An emoji to react with.
#[derive(Deserialize)]
pub struct ReactFields {
    #[serde(default)]
    pub emoji: Field,
}

impl ReactFields {
    pub fn check(self) -> Result<Emoji, FieldErrors> {
        let emoji = self.emoji.text().and_then(|text| Emoji::parse(&text));
        emoji.map_err(|sentence| FieldErrors::of("emoji", sentence))
    }
}

/// How far a chat has been read.
#[derive(Deserialize)]
pub struct MarkFields {
    #[serde(default)]
    pub message_id: Field,
}

impl MarkFields {
    pub fn check(self) -> Result<Option<MessageId>, FieldErrors> {
        let id = self.message_id.optional_integer().and_then(|id| match id {
            Some(id) if !(1..=MAX_ID).contains(&id) => {
                Err(format!("Invalid pk \"{id}\" - object does not exist."))
            }
            id => Ok(id.map(MessageId)),
        });
        id.map_err(|sentence| FieldErrors::of("message_id", sentence))
    }
}

/// Whether somebody types.
#[derive(Deserialize)]
pub struct TypingFields {
    #[serde(default)]
    pub is_typing: Field,
}

impl TypingFields {
    pub fn check(self) -> Result<bool, FieldErrors> {
        self.is_typing.boolean().map_err(|sentence| FieldErrors::of("is_typing", sentence))
    }
}
