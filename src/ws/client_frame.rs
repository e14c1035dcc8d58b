//! What a client sends.

use std::borrow::Cow;

use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::server_frame::{AnswerFrame, error_frame};
use crate::{
    core::model::{
        ChatId, FieldErrors, MessageId,
        command::ReactIntent,
        text::{NULL, REQUIRED},
    },
    error::ApiError,
    feed::Heads,
    input::{Field, HeadsField},
    view::render,
};

/// A client's frame. Which of the fields count depends on its type.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ClientFrame {
    #[serde(rename = "type", default)]
    #[schema(value_type = String)]
    kind: Field,
    /// Echoed in the answer, whatever it is.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    pub(super) id: Option<Box<RawValue>>,
    #[serde(default)]
    #[schema(value_type = ChatId)]
    chat_id: Field,
    #[serde(default)]
    #[schema(value_type = MessageId)]
    pub(super) message_id: Field,
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 5000)]
    pub(super) content: Field,
    /// The sender's own key for the message: with one the command can be repeated safely.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    pub(super) client_id: Field,
    #[serde(default)]
    #[schema(value_type = String)]
    pub(super) emoji: Field,
    /// `toggle` where it is missing or null.
    #[serde(default)]
    #[schema(value_type = Option<ReactIntent>)]
    pub(super) action: Field,
    #[serde(default)]
    #[schema(value_type = bool)]
    pub(super) is_typing: Field,
    /// How far one has heard of each chat, by chat id.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, i64>)]
    chats: HeadsField,
    /// Whether further parts follow.
    #[serde(default)]
    #[schema(value_type = bool)]
    more: Field,
}

/// A frame that is no JSON object.
pub struct Malformed;

impl ClientFrame {
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        // serde would take a list for the fields in their order.
        let is_object = text.trim_start().starts_with('{');
        serde_json::from_str(text).ok().filter(|_| is_object).ok_or(Malformed)
    }

    pub(super) fn kind(&self) -> Cow<'_, str> {
        match &self.kind {
            Field::Text(kind) => Cow::Borrowed(kind),
            other => Cow::Owned(other.text().unwrap_or_default()),
        }
    }

    /// Whether it asks for nothing but an answer.
    pub fn is_ping(&self) -> bool {
        self.kind() == "ping"
    }

    /// The answer to a ping.
    pub fn pong(&self) -> ByteString {
        render(&AnswerFrame { kind: "pong", id: self.id.as_deref(), answer: () })
    }

    pub fn is_resume(&self) -> bool {
        self.kind() == "resume"
    }

    /// How far the client has heard.
    pub fn resume(&self) -> Result<Resume, ApiError> {
        let mut errors = FieldErrors::default();
        let chats = errors.note("chats", self.chats.heads());
        let more =
            if matches!(self.more, Field::Missing | Field::Null) { Ok(false) } else { self.more.boolean() };
        match (chats, errors.note("more", more)) {
            (Some(chats), Some(more)) => Ok(Resume { id: self.id.clone(), chats, more }),
            _ => Err(errors.into()),
        }
    }

    /// An error in answer to this frame.
    pub fn error(&self, error: &ApiError) -> ByteString {
        error_frame(error, self.id.as_deref())
    }

    /// Whether what it asks for is on its way at once. Where something has to be looked up first, whatever is sent
    /// after it must wait, or it would overtake.
    pub(super) fn is_direct(&self) -> bool {
        matches!(&*self.kind(), "send_message" | "mark_as_read" | "typing")
    }

    pub(super) fn chat(&self) -> Result<ChatId, ApiError> {
        id("chat_id", &self.chat_id).map(ChatId)
    }

    pub(super) fn message(&self) -> Result<MessageId, ApiError> {
        id("message_id", &self.message_id).map(MessageId)
    }
}

/// An id in a frame. What cannot be one is like one that does not exist.
fn id(name: &'static str, field: &Field) -> Result<i64, ApiError> {
    match field {
        Field::Missing => Err(FieldErrors::of(name, REQUIRED).into()),
        Field::Null => Err(FieldErrors::of(name, NULL).into()),
        field => match field.optional_integer() {
            Ok(Some(id)) => Ok(id),
            _ => Err(ApiError::NOT_FOUND),
        },
    }
}

/// A `resume`, or a part of one.
pub struct Resume {
    pub id: Option<Box<RawValue>>,
    /// Chats by id with the number of the latest change that the client has heard of.
    pub chats: Heads,
    /// Whether further parts follow.
    pub more: bool,
}
