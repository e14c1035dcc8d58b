//! REST handlers, one file per resource. A handler identifies the caller, validates the input, calls a chat
//! or storage, and renders the response.

pub mod activity;
pub mod avatars;
pub mod blocks;
mod body;
pub mod chats;
pub mod credentials;
pub mod drafts;
pub mod events;
mod file_answer;
pub mod files;
pub mod guests;
pub mod health;
pub mod history;
pub mod index;
pub mod members;
pub mod mentions;
mod message_pages;
pub mod messages;
pub(crate) mod page;
mod path;
pub mod pictures;
pub mod pins;
pub mod previews;
pub mod profile;
pub(crate) mod query;
pub mod reactions;
pub mod revocations;
pub mod rooms;
pub mod search;
pub mod settings;
pub mod sign_in;
pub mod sync;
pub mod threads;
pub mod tokens;
pub mod uploads;
mod user_fields;
pub mod users;

pub(crate) use user_fields::UserFields;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderValue, IF_NONE_MATCH},
};
use bytestring::ByteString;

use crate::error::ApiError;

/// Return type of handlers.
pub(crate) type HandlerResult = Result<HttpResponse, ApiError>;

/// Builds a response from JSON that is already serialized.
fn json(mut response: actix_web::HttpResponseBuilder, body: ByteString) -> HttpResponse {
    response.content_type("application/json").body(body.into_bytes())
}

/// Whether `If-None-Match` has this ETag. A compressing proxy makes ETags weak; the weak form matches too.
pub(crate) fn is_known(request: &HttpRequest, etag: &str) -> bool {
    let known = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| HeaderValue::to_str(value).ok());
    known
        .flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(|tag| tag.trim_start_matches("W/") == etag || tag == "*")
}
