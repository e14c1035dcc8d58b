//! Read markers, typing, the caller's preferences and unread counts: `chats/{chat}/mark-as-read/`,
//! `chats/{chat}/me/`, `chats/{chat}/typing/`, `unread/`.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HandlerResult, body::Body, chats::show, path::Id};
use crate::{
    core::model::{ChatId, MessageId, threads::UnreadInChat},
    input::{MarkFields, MeFields, TypingFields},
    middleware::authenticate::Authenticated,
    services::messages,
    state::AppState,
    storage::queries::unread_overview,
    view::{UnreadThreadView, mentions_by_chat},
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
    Ok(HttpResponse::Ok().json(MarkedView::new(marked_count)))
}

#[derive(Serialize, ToSchema)]
#[schema(as = MarkedAsRead)]
pub(crate) struct MarkedView {
    status: &'static str,
    /// Number of messages by other users that this request marked as read.
    marked_count: i64,
}

impl MarkedView {
    pub(super) fn new(marked_count: i64) -> Self {
        Self { status: "success", marked_count }
    }
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
    let unread = state.readers.query(move |conn| unread_overview::of_user(conn, user)).await?;
    Ok(HttpResponse::Ok().json(UnreadCounts::of(&unread)))
}

#[derive(Serialize, ToSchema)]
#[schema(as = UnreadCounts)]
pub(crate) struct UnreadCounts {
    /// The sum of `chats`.
    total: i64,
    /// The sum of `chat_mentions` and of the mentions in `threads`. What is shown in both places counts in both.
    mentions: i64,
    /// Unread count by chat id. Chats without unread messages are left out.
    #[schema(value_type = BTreeMap<String, i64>)]
    chats: BTreeMap<ChatId, i64>,
    /// Counts of unread messages that mention the caller, by chat id.
    #[schema(value_type = BTreeMap<String, i64>)]
    chat_mentions: BTreeMap<ChatId, i64>,
    /// What is unread in the threads that the caller follows, by the id of the root. Threads without unread replies are
    /// left out.
    #[schema(value_type = BTreeMap<String, UnreadThreadView>)]
    threads: BTreeMap<MessageId, UnreadThreadView>,
    /// The sum of the unread replies in `threads`.
    threads_total: i64,
}

impl UnreadCounts {
    fn of(overview: &BTreeMap<ChatId, UnreadInChat>) -> Self {
        let with_messages = overview.iter().filter(|(_, unread)| unread.count > 0);
        let threads = || overview.values().flat_map(|unread| &unread.threads);
        let in_timelines: i64 = overview.values().map(|unread| unread.mentions).sum();
        Self {
            total: overview.values().map(|unread| unread.count).sum(),
            chats: with_messages.map(|(chat, unread)| (*chat, unread.count)).collect(),
            mentions: in_timelines + threads().map(|thread| thread.mentions).sum::<i64>(),
            chat_mentions: mentions_by_chat(overview),
            threads_total: threads().map(|thread| thread.unread).sum(),
            threads: UnreadThreadView::all(overview),
        }
    }
}
