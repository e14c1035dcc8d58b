//! `pictures/{user}/{signature}`: proxied profile pictures of users, fetched from other hosts.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, ETAG, HeaderValue},
    web::Data,
};

use super::{HandlerResult, is_known};
use crate::{
    core::model::{Refusal, UserId},
    error::ApiError,
    pictures::{Missing, Owner, Picture},
    state::AppState,
    storage::tables::users,
};

/// `GET /messages/pictures/{user}/{signature}`
///
/// Needs no authentication, so that pages of other sites can embed the image. This server signs the URL.
/// It is valid while the user has this picture and the settings allow its host.
pub async fn show(state: Data<AppState>, request: HttpRequest) -> HandlerResult {
    let proxy = state.pictures.as_ref().ok_or(ApiError::NOT_FOUND)?;
    let part = |name| request.match_info().get(name).ok_or(ApiError::NOT_FOUND);
    let id = UserId::parse(part("user")?).ok_or(ApiError::NOT_FOUND)?;
    let user =
        state.readers.query_one(move |conn| users::find(conn, id)).await?.ok_or(ApiError::NOT_FOUND)?;
    let card = user.card();
    let stored = state.links.open_picture(&card, part("signature")?).ok_or(ApiError::NOT_FOUND)?;
    answer_with(&request, proxy.get(Owner::User(card.id), stored).await)
}

/// Answers with a fetched picture.
pub(super) fn answer_with(request: &HttpRequest, fetched: Result<Picture, Missing>) -> HandlerResult {
    match fetched {
        Ok(picture) => Ok(answer(request, picture)),
        Err(Missing::Failed) => Ok(failure()),
        Err(Missing::Busy) => Err(Refusal::Busy.into()),
    }
}

fn answer(request: &HttpRequest, picture: Picture) -> HttpResponse {
    let is_known = is_known(request, &picture.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    // The signed URL is itself the access check, as for avatars, so shared caches may store the response.
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

/// Responds with 404 for a picture that cannot be fetched, cacheable for 60 s. It is not a 5xx, because the
/// upstream URL is at fault, not this server.
fn failure() -> HttpResponse {
    let mut response = ApiError::NOT_FOUND.error_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    response
}
