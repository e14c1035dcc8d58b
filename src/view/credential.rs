//! How sessions and tokens are shown to those whose they are.

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::model::{Origin, SessionId, Timestamp, TokenId};

/// A signed-in browser.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// It names the session, and signs nobody in.
    pub id: SessionId,
    #[serde(flatten)]
    pub use_: UseView,
    /// When it ends if it is not used meanwhile.
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

/// What sessions and tokens have in common.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CredentialUse)]
pub struct UseView {
    pub created_at: Timestamp,
    /// The last use, to within some ten minutes. Null: never used, or not since this is noted.
    #[schema(required)]
    pub last_seen: Option<Timestamp>,
    /// From which address it was last used; empty where that is not known.
    pub address: String,
    /// The `User-Agent` of then, at most 200 characters.
    pub user_agent: String,
    /// Whether this very request is made with it.
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
