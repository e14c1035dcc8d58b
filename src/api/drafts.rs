//! `drafts/` and `chats/{chat}/draft/`: the caller's drafts.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HandlerResult, body::Body, path::Id, query::Query};
use crate::{
    core::model::{ChatId, Draft, FieldErrors, MessageId, Refusal},
    error::ApiError,
    input::DraftFields,
    middleware::authenticate::Authenticated,
    services,
    state::AppState,
    storage::tables::drafts,
};

/// A list that is not split into pages.
#[derive(Serialize, ToSchema)]
#[schema(as = Drafts)]
pub(crate) struct DraftsView {
    results: Vec<Draft>,
}

/// `GET drafts/`
pub async fn list(state: Data<AppState>, caller: Authenticated) -> HandlerResult {
    let user = caller.id();
    let results = state.readers.query_one(move |conn| drafts::of_user(conn, user)).await?;
    Ok(HttpResponse::Ok().json(DraftsView { results }))
}

/// `PUT chats/{chat}/draft/`
pub async fn save(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    request: HttpRequest,
    body: Body,
) -> HandlerResult {
    check_user(&caller, &request)?;
    let fields = body
        .checked(DraftFields::check)
        .and_then(|(in_body, draft)| Ok((thread(&request)?.or(in_body), draft)));
    match services::drafts::save(&state, &caller, chat.0, fields).await? {
        Some(draft) => Ok(HttpResponse::Ok().json(draft)),
        None => Ok(HttpResponse::NoContent().finish()),
    }
}

/// `DELETE chats/{chat}/draft/`
pub async fn remove(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    request: HttpRequest,
) -> HandlerResult {
    check_user(&caller, &request)?;
    services::drafts::remove(&state, &caller, chat.0, thread(&request).into()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Refuses a request that names another user than the caller. The cookie of a page may be another user's by the time that
/// the page saves what its own user typed.
fn check_user(caller: &Authenticated, request: &HttpRequest) -> Result<(), ApiError> {
    match Query::of(request).place("user")? {
        Some(user) if user != caller.id().0 => Err(Refusal::NotAllowed("Another user has signed in.").into()),
        _ => Ok(()),
    }
}

/// Returns the thread that a request is about; `None`: the chat's timeline.
fn thread(request: &HttpRequest) -> Result<Option<MessageId>, ApiError> {
    let query = Query::of(request);
    let Some(number) = query.place("thread")? else { return Ok(None) };
    let id = MessageId::parse(&number.to_string());
    let sentence = || format!("Invalid pk \"{number}\" - object does not exist.");
    id.map(Some).ok_or_else(|| FieldErrors::of("thread", sentence()).into())
}
