//! Ids in paths. A malformed id is handled as an unknown one: it is looked up as 0, and the body is still
//! read. So neither the response nor its timing reveals which of the two it was.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use crate::core::model::{AttachmentId, ChatId, MessageId, SessionId, TokenId, UserId};

/// Extractor for the id in the path segment `{chat}`, `{file}`, `{message}`, `{user}`, `{session}` or `{token}`.
pub struct Id<T>(pub T);

/// Id types that can be path segments.
pub trait PathId: Sized {
    /// Name of the path segment.
    const SEGMENT: &'static str;
    /// An id that is never assigned.
    const UNASSIGNED: Self;

    fn parse(text: &str) -> Option<Self>;
}

macro_rules! path_id {
    ($($type:ident => $segment:literal),*) => {
        $(impl PathId for $type {
            const SEGMENT: &'static str = $segment;
            const UNASSIGNED: Self = Self(0);

            fn parse(text: &str) -> Option<Self> {
                $type::parse(text)
            }
        })*
    };
}
path_id!(
    AttachmentId => "file", ChatId => "chat", MessageId => "message", UserId => "user", SessionId => "session", TokenId => "token"
);

impl<T: PathId> FromRequest for Id<T> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get(T::SEGMENT).and_then(T::parse);
        ready(Ok(Self(id.unwrap_or(T::UNASSIGNED))))
    }
}
