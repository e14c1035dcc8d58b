//! Read markers, typing, the caller's preferences and unread counts: `chats/{chat}/mark-as-read/`,
//! `chats/{chat}/me/`, `chats/{chat}/typing/`, `unread/`.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HandlerResult, body::Body, chats::show, path::Id};
use crate::{
    core::model::ChatId,
    input::{MarkFields, MeFields, TypingFields},
    middleware::authenticate::Authenticated,
    services::messages,
    state::AppState,
    storage::queries::chat_list,
};

/// `POST chats/{chat}/mark-as-read/`
pub async fn mark_as_read(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    body: Body,
) -> HandlerResult {
    let marked_count =
        messages::mark_as_read(&state, &caller, chat.0, body.checked(MarkFields::check)).await?;
    Ok(HttpResponse::Ok().json(MarkedView { status: "success", marked_count }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = MarkedAsRead)]
pub(crate) struct MarkedView {
    status: &'static str,
    /// Number of messages by other users that this request marked as read.
    marked_count: i64,
}

/// `PATCH chats/{chat}/me/`
pub async fn change_me(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    body: Body,
) -> HandlerResult {
    messages::change_me(&state, &caller, chat.0, body.checked(MeFields::check)).await?;
    show(HttpResponse::Ok(), &state, &caller, chat.0).await
}

/// `POST chats/{chat}/typing/`
pub async fn typing(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    body: Body,
) -> HandlerResult {
    messages::typing(&state, &caller, chat.0, body.checked(TypingFields::check)).await?;
    Ok(HttpResponse::Ok().json(TypingView { status: "success" }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Success)]
pub(crate) struct TypingView {
    status: &'static str,
}

/// `GET unread/`
pub async fn unread(state: Data<AppState>, caller: Authenticated) -> HandlerResult {
    let user = caller.id();
    let unread = state.readers.query(move |conn| chat_list::unread_by_chat(conn, user)).await?;
    let total = unread.iter().map(|(_, count)| count).sum();
    Ok(HttpResponse::Ok().json(UnreadView { total, chats: unread.into_iter().collect() }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = UnreadCounts)]
pub(crate) struct UnreadView {
    total: i64,
    /// Unread count by chat id. Chats without unread messages are left out.
    #[schema(value_type = BTreeMap<String, i64>)]
    chats: BTreeMap<ChatId, i64>,
}
