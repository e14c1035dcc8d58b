//! `pictures/{user}/{signature}`: users' pictures of other hosts, fetched by this server.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, ETAG, HeaderValue},
    web::Data,
};

use super::{Answer, is_known};
use crate::{
    core::model::{Refusal, UserId},
    error::ApiError,
    pictures::{Missing, Picture},
    state::State,
    storage::tables::users,
};

/// `GET /messages/pictures/{user}/{signature}`; open to all, so that other sites' pages can show it, under an address that
/// this server has shown of a picture that the user still has, and that may still be shown.
pub async fn show(state: Data<State>, request: HttpRequest) -> Answer {
    let proxy = state.pictures.as_ref().ok_or(ApiError::NOT_FOUND)?;
    let part = |name| request.match_info().get(name).ok_or(ApiError::NOT_FOUND);
    let id = UserId::parse(part("user")?).ok_or(ApiError::NOT_FOUND)?;
    let user = state.readers.ask_one(move |conn| users::find(conn, id)).await?.ok_or(ApiError::NOT_FOUND)?;
    let card = user.card();
    let stored = state.links.open_picture(&card, part("signature")?).ok_or(ApiError::NOT_FOUND)?;
    match proxy.get(card.id, stored).await {
        Ok(picture) => Ok(answer(&request, picture)),
        Err(Missing::Failed) => Ok(failure()),
        Err(Missing::Busy) => Err(Refusal::Busy.into()),
    }
}

fn answer(request: &HttpRequest, picture: Picture) -> HttpResponse {
    let is_known = is_known(request, &picture.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    // The address is a secret of those to whom it was shown, as a signed avatar's is, so any cache may keep it.
    response
        .insert_header((ETAG, &*picture.etag))
        .insert_header((CACHE_CONTROL, "public, max-age=86400"))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((CONTENT_DISPOSITION, "inline"))
        .insert_header(("Cross-Origin-Resource-Policy", "cross-origin"));
    if is_known {
        return response.finish();
    }
    response.content_type(picture.kind.content_type()).body(picture.bytes)
}

/// What is answered where a picture cannot be fetched. It is the address that is of no use, not this server that has a fault,
/// and caches keep a 404 as long as they are told.
fn failure() -> HttpResponse {
    let mut response = ApiError::NOT_FOUND.error_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    response
}
