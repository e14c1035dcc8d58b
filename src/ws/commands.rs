//! Commands of a socket: parsed, run in the order sent, each answered with `ack` or `error`.

use std::{cell::RefCell, net::IpAddr, rc::Rc, sync::Arc};

use actix::Recipient;
use actix_web::{ResponseError, http::StatusCode, web::Data};
use bytestring::ByteString;
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesOrdered};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::{
    client_frame::ClientFrame,
    room_watch::{Watched, unwatch, watch},
    server_frame::{Ack, CommandReply, ack_frame, error_frame},
};
use crate::{
    auth::{
        Caller,
        audit::{self, AuditUser},
    },
    chat::Answered,
    core::{
        log_context::{LogContext, SocketCommand},
        model::{FieldErrors, Refusal, command::ReactIntent},
    },
    error::ApiError,
    hub::{CloseReason, Subscriber},
    input::{EditFields, Field, MarkFields, PostFields, ReactFields, TypingFields},
    rate_limit::LimitClass,
    services::{checked::Checked, messages, threads},
    state::AppState,
};

/// Most commands queued for one socket; more close it.
pub(super) const UNDER_WAY: usize = 4_096;

/// Most commands of one socket that await their answers at the same time.
const MAX_PENDING: usize = 256;

/// The user of a socket, as its newest credential gives it.
pub(super) type SharedCaller = Rc<RefCell<Arc<Caller>>>;

/// Context of a socket's commands: its user and its dependencies.
#[derive(Clone)]
pub(super) struct Client {
    pub state: Data<AppState>,
    pub caller: SharedCaller,
    /// The client's address.
    pub from: IpAddr,
    pub socket: Arc<Subscriber>,
    pub watched: Watched,
    /// Log context of the handshake's request.
    pub log_context: LogContext,
}

/// Runs a socket's commands until the session drops its sender. Commands are run and answered in the order
/// sent. While one is being stored, the next is already submitted.
pub(super) async fn run_commands(
    client: Client,
    mut frames: mpsc::Receiver<ClientFrame>,
    session: Recipient<CommandReply>,
) {
    let mut under_way: FuturesOrdered<LocalBoxFuture<'static, ByteString>> = FuturesOrdered::new();
    loop {
        tokio::select! {
            biased;
            Some(answer) = under_way.next(), if !under_way.is_empty() => session.do_send(CommandReply(answer)),
            frame = frames.recv(), if under_way.len() < MAX_PENDING => {
                let Some(frame) = frame else { break };
                match client.state.identities.is_valid(&client.socket.credential()).await {
                    Ok(true) if !client.socket.is_closing() => {}
                    Ok(true) => continue,
                    Ok(false) => {
                        client.socket.close(CloseReason::SignedOut);
                        continue;
                    }
                    Err(refusal) => {
                        session.do_send(CommandReply(frame.error(&refusal.into())));
                        continue;
                    }
                }
                let is_direct = frame.is_direct();
                let command = SocketCommand { name: frame.name(), caller_id: client.socket.user.0 };
                let log_context = LogContext { command: Some(command), ..client.log_context };
                let mut answer = log_context.scope(answer(client.clone(), frame)).boxed_local();
                if is_direct {
                    // The first poll submits the command.
                    match (&mut answer).now_or_never() {
                        Some(answer) => under_way.push_back(std::future::ready(answer).boxed_local()),
                        None => under_way.push_back(answer),
                    }
                } else {
                    while let Some(earlier) = under_way.next().await {
                        session.do_send(CommandReply(earlier));
                    }
                    session.do_send(CommandReply(answer.await));
                }
            }
        }
    }
    // Accepted commands are finished after the socket has closed; their answers are discarded.
    while under_way.next().await.is_some() {}
}

async fn answer(client: Client, frame: ClientFrame) -> ByteString {
    let id = frame.id.clone();
    match run_command(&client, frame).await {
        Ok(answer) => ack_frame(id.as_deref(), answer),
        Err(error) => {
            if error.status_code() == StatusCode::FORBIDDEN {
                audit::note(
                    "refused: a command of a socket",
                    AuditUser::from(&*client.caller.borrow().card),
                    client.from,
                );
            }
            error_frame(&error, id.as_deref())
        }
    }
}

/// Returns the rate limit that a command counts against.
fn limit_class(kind: &str) -> LimitClass {
    match kind {
        "send_message" => LimitClass::Send,
        "typing" => LimitClass::Typing,
        _ => LimitClass::Other,
    }
}

async fn run_command(client: &Client, frame: ClientFrame) -> Result<Ack, ApiError> {
    let Client { state, socket, watched, .. } = client;
    let caller = &*client.caller.borrow().clone();
    let limited = state.rate_limiter.take(caller.id(), limit_class(&frame.kind()));
    limited.map_err(|seconds| ApiError::Throttled { seconds })?;
    match &*frame.kind() {
        "send_message" => {
            let fields = PostFields {
                content: frame.content.clone(),
                client_id: frame.client_id.clone(),
                reply_to: frame.reply_to.clone(),
                mentions: frame.mentions.clone(),
                thread: frame.thread.clone(),
                also_in_chat: frame.also_in_chat.clone(),
                forward: frame.forward.clone(),
                attachments: frame.attachments.clone(),
                custom: frame.custom.clone(),
            };
            message(messages::post_message(state, caller, frame.chat()?, fields.check().into()).await?)
        }
        "edit_message" => {
            let (content, mentions) = (frame.content.clone(), frame.mentions.clone());
            // An edit has a text, unless it changes something else.
            let is_whole = !frame.custom.is_given() && !mentions.is_given();
            let fields = EditFields { content, mentions, custom: frame.custom.clone() };
            message(
                messages::edit_message(state, caller, frame.message()?, fields.check(is_whole).into())
                    .await?,
            )
        }
        "delete_message" => {
            messages::delete_message(state, caller, frame.message()?).await?;
            Ok(Ack::Done {})
        }
        "react" => {
            let message_id = frame.message()?;
            let fields = ReactFields { emoji: frame.emoji.clone() };
            // An invalid action is reported only to users who may see the message.
            let intent = intent(&frame.action);
            let permission = messages::may_react(state, caller.id(), message_id);
            let intent = Checked::from(intent).authorize_errors(permission).await?;
            let reacted = messages::react(state, caller, message_id, fields.check().into(), intent).await?;
            Ok(Ack::Reacted { action: reacted.action(), emoji: reacted.emoji.as_str(), message_id })
        }
        "mark_as_read" => {
            let fields = MarkFields { message_id: frame.message_id.clone() };
            let marked_count =
                messages::mark_as_read(state, caller, frame.chat()?, fields.check().into()).await?;
            Ok(Ack::Marked { marked_count })
        }
        "typing" => {
            let fields = TypingFields { is_typing: frame.is_typing.clone(), thread: frame.thread.clone() };
            messages::typing(state, caller, frame.chat()?, fields.check().into()).await?;
            Ok(Ack::Done {})
        }
        "open_thread" => {
            threads::open(state, caller, socket, frame.root()?).await?;
            Ok(Ack::Done {})
        }
        "close_thread" => {
            socket.close_thread(frame.root()?);
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
