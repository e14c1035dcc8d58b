//! What clients ask over a socket: parsed, carried out in the order sent, each answered with `ack` or `error`.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use actix::{Addr, Message};
use actix_web::{ResponseError, http::StatusCode, web::Data};
use bytestring::ByteString;
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesOrdered};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::{
    resume::Resume,
    session::Session,
    watch::{Watched, unwatch, watch},
};
use crate::{
    auth::{
        Caller,
        audit::{self, Who},
    },
    chat::{Answered, Socket},
    error::ApiError,
    input::{EditFields, Field, HeadsField, MarkFields, PostFields, ReactFields, TypingFields},
    limits::Kind,
    model::{
        ChatId, FieldErrors, MessageId, Refusal, Seq,
        command::ReactIntent,
        text::{NULL, REQUIRED},
    },
    requests::{self, ReactionAction},
    server::State,
    view::{MessageView, render},
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
    id: Option<Box<RawValue>>,
    #[serde(default)]
    #[schema(value_type = ChatId)]
    chat_id: Field,
    #[serde(default)]
    #[schema(value_type = MessageId)]
    message_id: Field,
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 5000)]
    content: Field,
    /// The sender's own key for the message: with one the command can be repeated safely.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    client_id: Field,
    #[serde(default)]
    #[schema(value_type = String)]
    emoji: Field,
    /// `toggle` where it is missing or null.
    #[serde(default)]
    #[schema(value_type = Option<ReactIntent>)]
    action: Field,
    #[serde(default)]
    #[schema(value_type = bool)]
    is_typing: Field,
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

    fn kind(&self) -> Cow<'_, str> {
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
    fn is_direct(&self) -> bool {
        matches!(&*self.kind(), "send_message" | "mark_as_read" | "typing")
    }

    fn chat(&self) -> Result<ChatId, ApiError> {
        id("chat_id", &self.chat_id).map(ChatId)
    }

    fn message(&self) -> Result<MessageId, ApiError> {
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

/// An answer to a frame, with the frame's id.
#[derive(Serialize)]
struct AnswerFrame<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(flatten)]
    answer: T,
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

/// Frames that may be under way for one socket; more are an overload.
pub const UNDER_WAY: usize = 4_096;

/// Commands that may await their answers at the same time.
const AT_ONCE: usize = 256;

/// Whose commands they are, and what they work with.
#[derive(Clone)]
pub struct Client {
    pub state: Data<State>,
    pub caller: Arc<Caller>,
    /// The client's address.
    pub from: IpAddr,
    pub socket: Arc<Socket>,
    pub watched: Watched,
}

/// Carries out a socket's commands until the session drops its end. What comes one after the other is done, and
/// answered, in that order; while one is being stored the next is on its way already.
pub async fn carry_out(client: Client, mut frames: mpsc::Receiver<ClientFrame>, session: Addr<Session>) {
    let mut under_way: FuturesOrdered<LocalBoxFuture<'static, ByteString>> = FuturesOrdered::new();
    loop {
        tokio::select! {
            biased;
            Some(answer) = under_way.next(), if !under_way.is_empty() => session.do_send(Answer(answer)),
            frame = frames.recv(), if under_way.len() < AT_ONCE => {
                let Some(frame) = frame else { break };
                match client.state.identities.still_works(&client.caller.credential).await {
                    Ok(true) if !client.socket.is_closing() => {}
                    // The socket is closed, or about to be.
                    Ok(_) => continue,
                    Err(refusal) => {
                        session.do_send(Answer(frame.error(&refusal.into())));
                        continue;
                    }
                }
                let is_direct = frame.is_direct();
                let mut answer = answer(client.clone(), frame).boxed_local();
                if is_direct {
                    // The first look at it sends the command.
                    match (&mut answer).now_or_never() {
                        Some(answer) => under_way.push_back(std::future::ready(answer).boxed_local()),
                        None => under_way.push_back(answer),
                    }
                } else {
                    while let Some(earlier) = under_way.next().await {
                        session.do_send(Answer(earlier));
                    }
                    session.do_send(Answer(answer.await));
                }
            }
        }
    }
    // What was accepted is finished, though nobody hears of it any more.
    while under_way.next().await.is_some() {}
}

async fn answer(client: Client, frame: ClientFrame) -> ByteString {
    let id = frame.id.clone();
    match carry_out_one(&client, frame).await {
        Ok(answer) => ack_frame(id.as_deref(), answer),
        Err(error) => {
            if error.status_code() == StatusCode::FORBIDDEN {
                audit::note("refused: a command of a socket", Who::from(&*client.caller.card), client.from);
            }
            error_frame(&error, id.as_deref())
        }
    }
}

async fn carry_out_one(client: &Client, frame: ClientFrame) -> Result<Ack, ApiError> {
    let Client { state, caller, socket, watched, .. } = client;
    let limited = state.limits.take(caller.id(), Kind::of_command(&frame.kind()));
    limited.map_err(|seconds| ApiError::Throttled { seconds })?;
    match &*frame.kind() {
        "send_message" => {
            let fields = PostFields { content: frame.content.clone(), client_id: frame.client_id.clone() };
            message(requests::post_message(state, caller, frame.chat()?, Ok(fields)).await?)
        }
        "edit_message" => {
            let fields = EditFields { content: frame.content.clone() };
            message(requests::edit_message(state, caller, frame.message()?, Ok(fields), true).await?)
        }
        "delete_message" => {
            requests::delete_message(state, caller, frame.message()?).await?;
            Ok(Ack::Done {})
        }
        "react" => {
            let message_id = frame.message()?;
            let fields = ReactFields { emoji: frame.emoji.clone() };
            // An action that is none is told to those only who may see the message.
            let intent = intent(&frame.action);
            let intent = requests::or_refused(intent, async {
                requests::may_react(state, caller.id(), message_id).await
            });
            let reacted = requests::react(state, caller, message_id, Ok(fields), intent.await?).await?;
            Ok(Ack::Reacted { action: reacted.action(), emoji: reacted.emoji.as_str(), message_id })
        }
        "mark_as_read" => {
            let fields = MarkFields { message_id: frame.message_id.clone() };
            let marked_count = requests::mark_as_read(state, caller, frame.chat()?, Ok(fields)).await?;
            Ok(Ack::Marked { marked_count })
        }
        "typing" => {
            let fields = TypingFields { is_typing: frame.is_typing.clone() };
            requests::typing(state, caller, frame.chat()?, Ok(fields)).await?;
            Ok(Ack::Done {})
        }
        "watch" => Ok(Ack::Watching { seq: watch(state, socket, watched, frame.chat()?).await? }),
        "unwatch" => {
            unwatch(state, socket, watched, frame.chat()?).await;
            Ok(Ack::Done {})
        }
        unknown => Err(FieldErrors::of("type", format!("\"{unknown}\" is not a valid choice.")).into()),
    }
}

fn intent(action: &Field) -> Result<ReactIntent, ApiError> {
    if matches!(action, Field::Missing | Field::Null) {
        return Ok(ReactIntent::Toggle);
    }
    let intent = action.choice(|text| match text {
        "toggle" => Some(ReactIntent::Toggle),
        "add" => Some(ReactIntent::Add),
        "remove" => Some(ReactIntent::Remove),
        _ => None,
    });
    intent.map_err(|sentence| FieldErrors::of("action", sentence).into())
}

fn message(answered: Answered) -> Result<Ack, ApiError> {
    match answered {
        Answered::Message { json, .. } => {
            let message = RawValue::from_string(json.to_string()).map_err(|_| Refusal::Internal)?;
            Ok(Ack::Message { message })
        }
        _ => Err(Refusal::Internal.into()),
    }
}
