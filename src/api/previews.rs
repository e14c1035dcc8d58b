//! Previews of links: removed by their senders, and their pictures.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Query},
};
use serde::Deserialize;

use super::{HandlerResult, path::Id, pictures};
use crate::{
    core::{model::MessageId, secrets},
    error::ApiError,
    middleware::authenticate::Authenticated,
    pictures::Owner,
    services,
    state::AppState,
};

/// `DELETE messages/{message}/previews/{index}/`
pub async fn remove(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    message: Id<MessageId>,
) -> HandlerResult {
    let index = request.match_info().get("index").and_then(|index| index.parse().ok());
    let index = index.ok_or(ApiError::NOT_FOUND)?;
    services::messages::remove_preview(&state, &caller, message.0, index).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The query of a picture's address.
#[derive(Deserialize)]
pub struct Pictured {
    url: String,
}

/// `GET /messages/previews/{signature}?url=`
///
/// Needs no authentication, as pictures of users. Only addresses that this server has signed are fetched.
pub async fn picture(
    state: Data<AppState>,
    request: HttpRequest,
    pictured: Option<Query<Pictured>>,
) -> HandlerResult {
    let proxy = state.preview_pictures.as_ref().ok_or(ApiError::NOT_FOUND)?;
    let image = pictured.ok_or(ApiError::NOT_FOUND)?.into_inner().url;
    let signature = request.match_info().get("signature").ok_or(ApiError::NOT_FOUND)?;
    if !state.links.open_preview_image(&image, signature) {
        return Err(ApiError::NOT_FOUND);
    }
    let hash = secrets::hash(image.as_bytes());
    let page = u64::from_str_radix(&hash[..16], 16).unwrap_or_default();
    pictures::answer_with(&request, proxy.get(Owner::Page(page), &image).await)
}
