//! Ids in paths. What cannot be an id is like one that does not exist: it is looked for, and its request is read to the
//! end, so that no answer tells the two apart.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use crate::core::model::{ChatId, MessageId, SessionId, TokenId, UserId};

/// The id of the path's segment `{chat}`, `{message}`, `{user}`, `{session}` or `{token}`.
pub struct Id<T>(pub T);

/// What can stand in a path.
pub trait PathId: Sized {
    /// The name of its segment.
    const SEGMENT: &'static str;
    /// An id that is never given out.
    const NOBODYS: Self;

    fn parse(text: &str) -> Option<Self>;
}

macro_rules! path_id {
    ($($type:ident => $segment:literal),*) => {
        $(impl PathId for $type {
            const SEGMENT: &'static str = $segment;
            const NOBODYS: Self = Self(0);

            fn parse(text: &str) -> Option<Self> {
                $type::parse(text)
            }
        })*
    };
}
path_id!(
    ChatId => "chat", MessageId => "message", UserId => "user", SessionId => "session", TokenId => "token"
);

impl<T: PathId> FromRequest for Id<T> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get(T::SEGMENT).and_then(T::parse);
        ready(Ok(Self(id.unwrap_or(T::NOBODYS))))
    }
}
