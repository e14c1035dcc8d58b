//! `users/{user}/revoke/`: ends the credentials of a user.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{HandlerResult, body::Body, path::Id, users::staff_only};
use crate::{
    core::model::{FieldErrors, Timestamp, UserId},
    input::Field,
    middleware::authenticate::Authenticated,
    net::forwarded,
    services::accounts,
    state::AppState,
};

#[derive(Deserialize, ToSchema)]
#[schema(as = Revocation)]
pub(crate) struct RevocationFields {
    /// JSON Web Tokens that were issued at this time or earlier end; not in the future. Missing or null: all that were
    /// issued until now, and the sessions and access tokens too.
    #[serde(default)]
    #[schema(value_type = Option<Timestamp>)]
    before: Field,
}

impl RevocationFields {
    fn check(self) -> Result<Option<Timestamp>, FieldErrors> {
        let before = self.before.optional_text().and_then(|text| match text {
            None => Ok(None),
            Some(text) => match Timestamp::parse(&text) {
                None => Err("Give a time such as 2026-11-30T09:00:00Z.".to_owned()),
                Some(at) if at > Timestamp::now() => Err("This time is in the future.".to_owned()),
                at => Ok(at),
            },
        });
        before.map_err(|sentence| FieldErrors::of("before", sentence))
    }
}

/// `POST users/{user}/revoke/`, staff only.
pub async fn revoke(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    user: Id<UserId>,
    body: Body,
) -> HandlerResult {
    staff_only(&caller)?;
    let id = user.0;
    let before = body.checked(RevocationFields::check).authorize_errors(accounts::exists(&state, id)).await?;
    let from = forwarded::client_address(&request, &state.config);
    accounts::revoke_credentials(&state, &caller, from, id, before).await?;
    Ok(HttpResponse::NoContent().finish())
}
