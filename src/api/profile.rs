//! `users/me/`: the caller's own account.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    Answer,
    body::Body,
    user_fields::{UserFields, chosen_picture},
    users::{change_user, own_view},
};
use crate::{
    auth::{login_throttle::Attempt, passwords::Verdict},
    bus::BusMessage,
    core::model::{FieldErrors, Refusal},
    error::ApiError,
    middleware::authenticate::Authenticated,
    net::forwarded,
    state::AppState,
    storage::tables::users::{self, User},
};

/// `GET users/me/`
pub async fn show(state: Data<AppState>, caller: Authenticated) -> Answer {
    let user = own_user(&state, &caller).await?;
    Ok(HttpResponse::Ok().json(own_view(&user, &user.card(), &state.links)))
}

/// `PATCH users/me/`: changes the caller's names, picture and password. A new password needs `old_password`.
pub async fn update(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    body: Body,
) -> Answer {
    let mut fields = body.json::<UserFields>()?;
    if fields.has_picture() {
        fields.leave_out_picture_of(&own_user(&state, &caller).await?.card(), &state.links);
    }
    let (mut change, proof) = fields.check_own_change()?;
    change.avatar_url = change.avatar_url.map(|address| chosen_picture(&state, &address)).transpose()?;
    // Held until the new password is hashed, so that one user cannot fill the hashing queue.
    let _attempt = match proof {
        Some(proof) => Some(verify_own_password(&state, &caller, &request, proof).await?),
        None => None,
    };
    let user = change_user(&state, &caller, &request, caller.id(), change).await?;
    Ok(HttpResponse::Ok().json(own_view(&user, &user.card(), &state.links)))
}

async fn own_user(state: &AppState, caller: &Authenticated) -> Result<User, Refusal> {
    let id = caller.id();
    state.readers.query_one(move |conn| users::find(conn, id)).await?.ok_or(Refusal::NotFound)
}

/// Verifies the caller's password. A wrong one counts as a failed sign-in.
async fn verify_own_password(
    state: &AppState,
    caller: &Authenticated,
    request: &HttpRequest,
    password: String,
) -> Result<Attempt, ApiError> {
    let address = forwarded::client_address(request, &state.config);
    let attempt = state.login_throttle.attempt(address, &caller.card.username).await?;
    let user = own_user(state, caller).await?;
    if matches!(state.passwords.verify(password, Some(user.password)).await?, Verdict::Wrong) {
        let (address, account) = attempt.failed();
        state.bus.publish(BusMessage::SignInFailed { address, account });
        return Err(FieldErrors::of("old_password", "This is not your password.").into());
    }
    Ok(attempt)
}
