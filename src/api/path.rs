//! Ids in paths. What cannot be an id is like one that does not exist.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use crate::{
    error::ApiError,
    model::{ChatId, MessageId, UserId},
};

/// The id of the path's segment `{chat}`, `{message}` or `{user}`.
pub struct Id<T>(pub T);

/// What can stand in a path.
pub trait PathId: Sized {
    /// The name of its segment.
    const SEGMENT: &'static str;

    fn parse(text: &str) -> Option<Self>;
}

macro_rules! path_id {
    ($($type:ident => $segment:literal),*) => {
        $(impl PathId for $type {
            const SEGMENT: &'static str = $segment;

            fn parse(text: &str) -> Option<Self> {
                $type::parse(text)
            }
        })*
    };
}
path_id!(ChatId => "chat", MessageId => "message", UserId => "user");

impl<T: PathId> FromRequest for Id<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get(T::SEGMENT).and_then(T::parse);
        ready(id.map(Self).ok_or(ApiError::NOT_FOUND))
    }
}
