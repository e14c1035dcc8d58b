//! `/guests/`: visitors become guests, without an account. `guests/claim/`: a guest becomes a user with one.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{HandlerResult, body::Body};
use crate::{
    core::model::{FieldErrors, UserId, text, time::SECOND},
    error::ApiError,
    input::Field,
    middleware::{authenticate::Authenticated, csrf},
    net::forwarded,
    services::guests,
    state::AppState,
    storage::tables::guests::KEY_LIFE,
    view::{OwnUserView, UserExtras},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = NewGuest)]
pub(crate) struct GuestFields {
    /// Missing, null or blank: the generated username.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 150)]
    display_name: Field,
}

impl GuestFields {
    fn check(&self) -> Result<String, FieldErrors> {
        let name = self.display_name.optional_text();
        let name = name.and_then(|name| text::person_name(&name.unwrap_or_default(), 150));
        name.map_err(|sentence| FieldErrors::of("display_name", sentence))
    }
}

/// A new guest, with the key.
#[derive(Serialize, ToSchema)]
#[schema(as = Guest)]
pub(crate) struct GuestView<'a> {
    user: OwnUserView<'a>,
    /// The secret key, for `Authorization: Token`. It is shown only in this response.
    key: &'a str,
    /// Seconds until the key expires. Each use starts them anew.
    expires_in: i64,
}

/// `POST /guests/`
pub async fn create(state: Data<AppState>, request: HttpRequest, body: Body) -> HandlerResult {
    csrf::check(&request, &state.config)?;
    let from = forwarded::client_address(&request, &state.config);
    let name = body.json::<GuestFields>()?.check()?;
    let guest = guests::create(&state, from, name).await?;
    let (card, extras) = (guest.user.card(), UserExtras::default());
    let user = OwnUserView::new(&guest.user, &card, &extras, false, &state.links);
    let view = GuestView { user, key: &guest.key, expires_in: KEY_LIFE / SECOND };
    Ok(HttpResponse::Created().json(view))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = GuestClaim)]
pub(crate) struct ClaimFields {
    /// The guest's key.
    #[serde(default)]
    #[schema(value_type = String, required)]
    key: Field,
}

/// The guest that the caller has taken over.
#[derive(Serialize, ToSchema)]
#[schema(as = ClaimedGuest)]
pub(crate) struct ClaimView {
    merged_from: UserId,
    /// Whether everything is the caller's. If not, repeat the request.
    is_done: bool,
}

/// `POST guests/claim/`
pub async fn claim(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    body: Body,
) -> HandlerResult {
    if caller.card.is_guest {
        return Err(ApiError::FORBIDDEN);
    }
    let key = body.json::<ClaimFields>()?.key.text();
    let key = key.map_err(|sentence| FieldErrors::of("key", sentence))?;
    let from = forwarded::client_address(&request, &state.config);
    let claim = guests::claim(&state, &caller, from, &key).await?;
    let mut response = if claim.is_done { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    Ok(response.json(ClaimView { merged_from: claim.guest, is_done: claim.is_done }))
}
