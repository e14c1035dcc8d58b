//! Responses to a client's frames.

use std::collections::BTreeMap;

use actix::Message;
use actix_web::ResponseError;
use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    core::model::{ChatId, MessageId, Seq},
    error::ApiError,
    feed::Heads,
    services::messages::ReactionAction,
    view::{MessageView, UnreadThreadView, render},
};

/// A response to a frame, with the frame's id.
#[derive(Serialize)]
pub(super) struct AnswerFrame<'a, T> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a RawValue>,
    #[serde(flatten)]
    pub(super) answer: T,
}

/// Contents of an `ack` besides the id.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Ack {
    Message {
        #[schema(value_type = MessageView)]
        message: Box<RawValue>,
    },
    Reacted {
        action: ReactionAction,
        emoji: &'static str,
        message_id: MessageId,
    },
    Marked {
        marked_count: i64,
    },
    Watching {
        seq: Seq,
    },
    Done {},
}

/// Renders an `ack`.
pub(super) fn ack_frame(id: Option<&RawValue>, answer: impl Serialize) -> ByteString {
    render(&AnswerFrame { kind: "ack", id, answer })
}

/// Renders an `error`: the HTTP status that REST would answer, and the same body.
pub(super) fn error_frame(error: &ApiError, id: Option<&RawValue>) -> ByteString {
    #[derive(Serialize)]
    struct Failed {
        status: u16,
        /// Seconds until a retry may succeed, if known.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        #[serde(flatten)]
        body: serde_json::Value,
    }
    let status = error.status_code().as_u16();
    let answer = Failed { status, retry_after: error.retry_after(), body: error.body() };
    render(&AnswerFrame { kind: "error", id, answer })
}

/// A rendered response for the session to send.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct CommandReply(pub ByteString);

#[derive(Serialize, ToSchema)]
pub(crate) struct CaughtUp<'a> {
    /// The `seq` of each of the caller's chats, by chat id.
    #[schema(value_type = BTreeMap<String, i64>)]
    pub(super) heads: &'a Heads,
    /// Unread counts by chat id, of chats that have any.
    #[schema(value_type = BTreeMap<String, i64>)]
    pub(super) unread: BTreeMap<ChatId, i64>,
    /// Counts of unread messages that mention the caller, by chat id, of chats that have any.
    #[schema(value_type = BTreeMap<String, i64>)]
    pub(super) chat_mentions: BTreeMap<ChatId, i64>,
    /// What is unread in the threads that the caller follows, by the id of the root.
    #[schema(value_type = BTreeMap<String, UnreadThreadView>)]
    pub(super) threads: BTreeMap<MessageId, UnreadThreadView>,
}
