//! `users/{user}/tokens/`: access tokens that staff create for users of the host application.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{HandlerResult, body::Body, path::Id, users::staff_only};
use crate::{
    auth::audit::{self, AuditUser},
    core::{
        model::{FieldErrors, Refusal, Timestamp, TokenId, UserId, time::SECOND},
        secrets,
    },
    input::Field,
    middleware::authenticate::Authenticated,
    net::forwarded,
    services::accounts::{self, exists},
    state::AppState,
    storage::tables::{tokens, users},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = NewToken)]
pub(crate) struct TokenFields {
    /// Lifetime in seconds, at most ten years. Missing or null: the token does not expire.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 315360000)]
    expires_in: Field,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenView<'a> {
    id: TokenId,
    /// The secret key. It is shown only in this response.
    key: &'a str,
    #[schema(required)]
    expires_at: Option<Timestamp>,
}

/// Maximum lifetime of a token that expires, in seconds: ten years.
const MAX_LIFE: i64 = 10 * 365 * 24 * 60 * 60;

impl TokenFields {
    fn check(self) -> Result<Option<i64>, FieldErrors> {
        let seconds = self.expires_in.optional_integer().and_then(|seconds| match seconds {
            Some(seconds) if !(1..=MAX_LIFE).contains(&seconds) => {
                Err(format!("Ensure this value is from 1 to {MAX_LIFE} seconds."))
            }
            seconds => Ok(seconds),
        });
        seconds.map_err(|sentence| FieldErrors::of("expires_in", sentence))
    }
}

/// `POST users/{user}/tokens/`, staff only: creates a token, which the host's server gives to the user's
/// browser.
pub async fn create_token(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    user: Id<UserId>,
    body: Body,
) -> HandlerResult {
    staff_only(&caller)?;
    let id = user.0;
    let life = body.checked(TokenFields::check).authorize_errors(exists(&state, id)).await?;
    let expires_at = life.map(|seconds| Timestamp::now().plus(seconds * SECOND));
    let key = secrets::draw();
    let hash = secrets::hash(&key);
    let most = state.config.max_tokens_per_user;
    let created = state.writer.run("create_token", move |conn, _| {
        let user =
            users::find_for_update(conn, id)?.filter(|user| user.is_active).ok_or(Refusal::NotFound)?;
        tokens::expect_below_token_limit(conn, user.id(), most)?;
        Ok((tokens::create(conn, user.id(), &hash, expires_at)?, user))
    });
    let (token, user) = created.await?;
    let from = forwarded::client_address(&request, &state.config);
    audit::note_done_to("made a token", AuditUser::from(&user), AuditUser::from(&*caller.card), from);
    Ok(HttpResponse::Created().json(TokenView { id: token, key: &key, expires_at }))
}

/// `DELETE users/{user}/tokens/`, staff only: revokes all tokens of a user.
pub async fn delete_tokens(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    user: Id<UserId>,
) -> HandlerResult {
    staff_only(&caller)?;
    let id = user.0;
    let user = accounts::find(&state, id).await?;
    state.writer.run("end_tokens", move |conn, _| tokens::revoke_all(conn, id)).await?;
    state.identities.invalidate(id).await;
    let from = forwarded::client_address(&request, &state.config);
    audit::note_done_to("ended all tokens", AuditUser::from(&user), AuditUser::from(&*caller.card), from);
    Ok(HttpResponse::NoContent().finish())
}
