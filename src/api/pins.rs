//! `chats/{chat}/pins/`: list, pin and unpin messages.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HandlerResult, json, path::Id};
use crate::{
    chat::Answered,
    core::model::{ChatId, Command, MessageId, Refusal, command::Action, permission::Ability},
    middleware::authenticate::Authenticated,
    services,
    state::AppState,
    storage::queries::{membership, pinned_messages},
    view::{MessageView, Senders, render_long},
};

/// A list that is not split into pages.
#[derive(Serialize, ToSchema)]
#[schema(as = PinnedMessages)]
pub(crate) struct PinsView<'a> {
    results: Vec<MessageView<'a>>,
}

/// `GET chats/{chat}/pins/`
pub async fn list(state: Data<AppState>, caller: Authenticated, chat: Id<ChatId>) -> HandlerResult {
    let (chat, user, policy) = (chat.0, caller.id(), state.policy.clone());
    let found = state.readers.query(move |conn| {
        let chat = membership::authorized(conn, chat, user, Ability::Read)?.chat;
        pinned_messages::of_chat(conn, &policy, &chat)
    });
    let messages = found.await?;
    let senders = Senders::of(&messages, &state.links);
    let view = |message| MessageView::said(message, &senders).seen_by(caller.is_staff, message);
    let results = messages.iter().map(view).collect();
    Ok(json(HttpResponse::Ok(), render_long(&PinsView { results })))
}

/// `PUT chats/{chat}/pins/{message}/`
pub async fn pin(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    message: Id<MessageId>,
) -> HandlerResult {
    match services::messages::pin_message(&state, &caller, chat.0, message.0).await? {
        Answered::Message { json: body, .. } => Ok(json(HttpResponse::Ok(), body)),
        _ => Err(Refusal::Internal.into()),
    }
}

/// `DELETE chats/{chat}/pins/{message}/`
pub async fn unpin(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    message: Id<MessageId>,
) -> HandlerResult {
    let action = Action::Pin { message: message.0, is_pinned: false };
    state.directory.command(Command { chat: chat.0, by: caller.id(), action }).await?;
    Ok(HttpResponse::NoContent().finish())
}
