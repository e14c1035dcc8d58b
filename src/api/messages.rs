//! `chats/{chat}/messages/` and `messages/{message}/`: list, post, edit and delete messages.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    HandlerResult,
    body::Body,
    json,
    message_pages::{self, Listing, PageQuery, expect_without_at},
    path::Id,
    query::Query,
    search,
};
use crate::{
    chat::Answered,
    core::{
        model::{ChatId, FieldErrors, MessageId, Refusal, permission::Ability},
        text_index::Words,
    },
    error::ApiError,
    input::{EditFields, PostFields},
    middleware::authenticate::Authenticated,
    services::{self, checked::Checked},
    state::AppState,
    storage::{AnyConn, message_search::pages::SearchRequest, queries::membership},
    view::MessageView,
};

/// `GET chats/{chat}/messages/`
pub async fn list(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    request: HttpRequest,
) -> HandlerResult {
    let query = Query::of(&request);
    let permission = state.permitted(chat.0, caller.id(), Ability::Read);
    let words = query.get("search").and_then(Words::of);
    if words.is_some() || query.filled("has").is_some() {
        let name = if words.is_some() { "search" } else { "has" };
        let words = words.unwrap_or_else(Words::none);
        let question =
            expect_without_at(&query, name).and_then(|()| SearchRequest::of(&query, words, Some(chat.0)));
        let question = Checked::from(question).authorize_errors(permission).await?;
        return search::answer(&state, &caller, &request, question).await;
    }
    let wanted = PageQuery::of(&query).and_then(|page| Ok((page, has_replies(&query)?)));
    let (page, has_replies) = Checked::from(wanted).authorize_errors(permission).await?;
    let (chat, user) = (chat.0, caller.id());
    let find = move |conn: &mut AnyConn| {
        let chat = membership::authorized(conn, chat, user, Ability::Read)?.chat;
        Ok(if has_replies { Listing::All(chat) } else { Listing::Timeline(chat) })
    };
    message_pages::answer(&state, &caller, &request, page, find).await
}

/// Reads `include`: whether replies that are only in threads are listed too.
fn has_replies(query: &Query) -> Result<bool, ApiError> {
    match query.filled("include") {
        None => Ok(false),
        Some("replies") => expect_without_at(query, "include").map(|()| true),
        Some(other) => Err(FieldErrors::of("include", format!("\"{other}\" is not a valid choice.")).into()),
    }
}

/// `POST chats/{chat}/messages/`
pub async fn post(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    body: Body,
) -> HandlerResult {
    // Yields once, so that concurrent posts reach the writer together and share a group commit.
    tokio::task::yield_now().await;
    answer(services::messages::post_message(&state, &caller, chat.0, body.checked(PostFields::check)).await?)
}

/// `GET messages/{message}/`
pub async fn detail(state: Data<AppState>, caller: Authenticated, message: Id<MessageId>) -> HandlerResult {
    let message = services::messages::visible_message(&state, caller.id(), message.0).await?;
    Ok(HttpResponse::Ok().json(MessageView::new(&message, &state.links).seen_by(caller.is_staff, &message)))
}

/// `PUT` and `PATCH messages/{message}/`
pub async fn update(
    state: Data<AppState>,
    caller: Authenticated,
    message: Id<MessageId>,
    request: HttpRequest,
    body: Body,
) -> HandlerResult {
    let is_whole = request.method() == "PUT";
    let fields = body.checked(|fields: EditFields| fields.check(is_whole));
    answer(services::messages::edit_message(&state, &caller, message.0, fields).await?)
}

/// `DELETE messages/{message}/`
pub async fn delete(state: Data<AppState>, caller: Authenticated, message: Id<MessageId>) -> HandlerResult {
    services::messages::delete_message(&state, &caller, message.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn answer(answered: Answered) -> HandlerResult {
    match answered {
        Answered::Message { json: body, created: true } => Ok(json(HttpResponse::Created(), body)),
        Answered::Message { json: body, created: false } => Ok(json(HttpResponse::Ok(), body)),
        _ => Err(Refusal::Internal.into()),
    }
}
