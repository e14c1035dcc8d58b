//! REST: one file for each resource. A handler says who asks, what for, asks the chat or storage, and answers.

pub mod account;
pub mod activity;
pub mod avatars;
mod body;
pub mod chats;
pub mod health;
pub mod index;
pub mod members;
pub mod messages;
mod page;
mod path;
pub mod reactions;
pub mod rooms;
pub mod users;

use actix_web::HttpResponse;
use bytestring::ByteString;

use crate::error::ApiError;

/// What handlers return.
type Answer = Result<HttpResponse, ApiError>;

/// An answer whose JSON is rendered already.
fn json(mut response: actix_web::HttpResponseBuilder, body: ByteString) -> HttpResponse {
    response.content_type("application/json").body(body.into_bytes())
}
