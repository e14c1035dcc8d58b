//! Frames that clients send.

use std::borrow::Cow;

use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::server_frame::{AnswerFrame, error_frame};
use crate::{
    core::model::{
        AttachmentId, ChatId, FieldErrors, MessageId,
        command::ReactIntent,
        mentions::Mentions,
        text::{NULL, REQUIRED},
    },
    error::ApiError,
    feed::Heads,
    input::{CustomField, Field, HeadsField, MentionsField},
    view::render,
};

/// A client's frame. Its type decides which fields are used.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ClientFrame {
    #[serde(rename = "type", default)]
    #[schema(value_type = String)]
    kind: Field,
    /// Echoed in the response; any JSON value.
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
    /// Idempotency key of the message, chosen by the sender: a command that has one can be retried safely.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    pub(super) client_id: Field,
    /// The message of the same chat that is quoted.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub(super) reply_to: Field,
    /// The mentions, as of a message.
    #[serde(default)]
    #[schema(value_type = Option<Mentions>)]
    pub(super) mentions: MentionsField,
    /// The root of the thread that the message replies in.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub(super) thread: Field,
    /// Whether the timeline of the chat shows the reply too.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub(super) also_in_chat: Field,
    /// A message whose text is copied.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub(super) forward: Field,
    /// Ids of the sender's complete uploads for this chat.
    #[serde(default)]
    #[schema(value_type = Option<Vec<AttachmentId>>, max_items = 30)]
    pub(super) attachments: Field,
    /// Data of the host for the message. An edit merges it.
    #[serde(default)]
    #[schema(value_type = Option<HashMap<String, serde_json::Value>>)]
    pub(super) custom: CustomField,
    #[serde(default)]
    #[schema(value_type = String)]
    pub(super) emoji: Field,
    /// `toggle` if missing or null.
    #[serde(default)]
    #[schema(value_type = Option<ReactIntent>)]
    pub(super) action: Field,
    #[serde(default)]
    #[schema(value_type = bool)]
    pub(super) is_typing: Field,
    /// The root of a thread.
    #[serde(default)]
    #[schema(value_type = MessageId)]
    root: Field,
    /// The last `seq` received of each chat, by chat id.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, i64>)]
    chats: HeadsField,
    /// Whether more parts of the `resume` follow.
    #[serde(default)]
    #[schema(value_type = bool)]
    more: Field,
    /// A JSON Web Token of the socket's user.
    #[serde(default)]
    #[schema(value_type = String)]
    token: Field,
}

/// A frame that is not a JSON object.
pub(crate) struct Malformed;

impl ClientFrame {
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        // serde would also accept an array of the fields in order.
        let is_object = text.trim_start().starts_with('{');
        serde_json::from_str(text).ok().filter(|_| is_object).ok_or(Malformed)
    }

    pub(super) fn kind(&self) -> Cow<'_, str> {
        match &self.kind {
            Field::Text(kind) => Cow::Borrowed(kind),
            other => Cow::Owned(other.text().unwrap_or_default()),
        }
    }

    /// Returns the command's name for the log, or `...` for one that does not exist: it may be any text.
    pub(super) fn name(&self) -> &'static str {
        const NAMES: [&str; 10] = [
            "send_message",
            "edit_message",
            "delete_message",
            "react",
            "mark_as_read",
            "typing",
            "open_thread",
            "close_thread",
            "watch",
            "unwatch",
        ];
        let kind = self.kind();
        NAMES.into_iter().find(|name| *name == kind).unwrap_or("...")
    }

    /// Returns whether this is a ping, which needs only an answer.
    pub(crate) fn is_ping(&self) -> bool {
        self.kind() == "ping"
    }

    /// Renders the answer to a ping.
    pub(crate) fn pong(&self) -> ByteString {
        render(&AnswerFrame { kind: "pong", id: self.id.as_deref(), answer: () })
    }

    pub(crate) fn is_resume(&self) -> bool {
        self.kind() == "resume"
    }

    /// Parses the frame as a `resume`, or a part of one.
    pub(crate) fn resume(&self) -> Result<Resume, ApiError> {
        let mut errors = FieldErrors::default();
        let chats = errors.note("chats", self.chats.heads());
        let more =
            if matches!(self.more, Field::Missing | Field::Null) { Ok(false) } else { self.more.boolean() };
        match (chats, errors.note("more", more)) {
            (Some(chats), Some(more)) => Ok(Resume { id: self.id.clone(), chats, more }),
            _ => Err(errors.into()),
        }
    }

    pub(crate) fn is_refresh(&self) -> bool {
        self.kind() == "refresh"
    }

    /// Parses the frame as a `refresh`. Returns the token.
    pub(super) fn refresh(&self) -> Result<String, ApiError> {
        self.token.text().map_err(|sentence| FieldErrors::of("token", sentence).into())
    }

    /// Renders an `error` response to this frame.
    pub(crate) fn error(&self, error: &ApiError) -> ByteString {
        error_frame(error, self.id.as_deref())
    }

    /// Returns whether the command is sent to its chat when first polled. A command that needs a lookup first
    /// must finish before the next begins, to keep the order.
    pub(super) fn is_direct(&self) -> bool {
        matches!(&*self.kind(), "send_message" | "mark_as_read" | "typing")
    }

    pub(super) fn chat(&self) -> Result<ChatId, ApiError> {
        id("chat_id", &self.chat_id).map(ChatId)
    }

    pub(super) fn root(&self) -> Result<MessageId, ApiError> {
        id("root", &self.root).map(MessageId)
    }

    pub(super) fn message(&self) -> Result<MessageId, ApiError> {
        id("message_id", &self.message_id).map(MessageId)
    }
}

/// Parses an id in a frame. A malformed id is answered like an unknown one.
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
pub(crate) struct Resume {
    pub id: Option<Box<RawValue>>,
    /// The last `seq` that the client has received of each chat.
    pub chats: Heads,
    /// Whether more parts of the `resume` follow.
    pub more: bool,
}
