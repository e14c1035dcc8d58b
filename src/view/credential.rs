//! JSON of sessions and access tokens, for the users that they belong to.

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::model::{Origin, SessionId, Timestamp, TokenId};

/// A signed-in browser.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// Names the session. It cannot be used to sign in.
    pub id: SessionId,
    #[serde(flatten)]
    pub use_: UseView,
    /// When it expires if it is not used before.
    pub expires_at: Timestamp,
}

/// An access token, without its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessToken)]
pub struct AccessTokenView {
    pub id: TokenId,
    #[serde(flatten)]
    pub use_: UseView,
    /// Null: it does not expire.
    #[schema(required)]
    pub expires_at: Option<Timestamp>,
}

/// Fields shared by sessions and access tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CredentialUse)]
pub struct UseView {
    pub created_at: Timestamp,
    /// The last use, accurate to about ten minutes. Null: never used, or last used before uses were recorded.
    #[schema(required)]
    pub last_seen: Option<Timestamp>,
    /// The address of the last use; empty if unknown.
    pub address: String,
    /// The `User-Agent` of the last use, at most 200 characters.
    pub user_agent: String,
    /// Whether this request was made with it.
    pub is_current: bool,
}

impl UseView {
    pub fn new(
        created_at: Timestamp,
        last_seen: Option<Timestamp>,
        origin: Origin,
        is_current: bool,
    ) -> Self {
        Self { created_at, last_seen, address: origin.address, user_agent: origin.user_agent, is_current }
    }
}
