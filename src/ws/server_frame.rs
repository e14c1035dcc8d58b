//! What answers a client's frames.

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
    view::{MessageView, render},
};

/// An answer to a frame, with the frame's id.
#[derive(Serialize)]
pub(super) struct AnswerFrame<'a, T> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a RawValue>,
    #[serde(flatten)]
    pub(super) answer: T,
}

/// What an `ack` bears besides the id.
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

/// An `ack`, with what it bears.
pub fn ack_frame(id: Option<&RawValue>, answer: impl Serialize) -> ByteString {
    render(&AnswerFrame { kind: "ack", id, answer })
}

/// An `error`: the status as REST has it, and the body.
pub fn error_frame(error: &ApiError, id: Option<&RawValue>) -> ByteString {
    #[derive(Serialize)]
    struct Failed {
        status: u16,
        /// In seconds, where that helps.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        #[serde(flatten)]
        body: serde_json::Value,
    }
    let status = error.status_code().as_u16();
    let answer = Failed { status, retry_after: error.retry_after(), body: error.body() };
    render(&AnswerFrame { kind: "error", id, answer })
}

/// An answer, for the session to send.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Answer(pub ByteString);

#[derive(Serialize, ToSchema)]
pub(crate) struct CaughtUp<'a> {
    /// The number of the latest change of each of the caller's chats, by chat id.
    #[schema(value_type = BTreeMap<String, i64>)]
    pub(super) heads: &'a Heads,
    /// Unread counts by chat id, of chats that have any.
    #[schema(value_type = BTreeMap<String, i64>)]
    pub(super) unread: &'a BTreeMap<ChatId, i64>,
}
