//! `messages/{message}/history/`: the texts of a message before its edits.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HandlerResult, json, path::Id};
use crate::{
    core::model::{
        MessageId,
        history::{EarlierText, MessageHistory},
    },
    error::ApiError,
    middleware::authenticate::Authenticated,
    state::AppState,
    storage::{queries::membership, tables::message_versions},
    view::render_long,
};

#[derive(Serialize, ToSchema)]
#[schema(as = EarlierTexts)]
pub(crate) struct HistoryView {
    results: Vec<EarlierText>,
}

/// `GET messages/{message}/history/`
pub async fn list(state: Data<AppState>, caller: Authenticated, message: Id<MessageId>) -> HandlerResult {
    let is_allowed = match state.config.message_history {
        MessageHistory::Off => false,
        MessageHistory::Staff => caller.is_staff,
        MessageHistory::Members => true,
    };
    if !is_allowed {
        return Err(ApiError::NOT_FOUND);
    }
    let (message, user, policy) = (message.0, caller.id(), state.policy.clone());
    let found = state.readers.query(move |conn| {
        let message = membership::visible(conn, &policy, user, message)?;
        message_versions::of(conn, message.chat, message.id)
    });
    let results = found.await?;
    Ok(json(HttpResponse::Ok(), render_long(&HistoryView { results })))
}
