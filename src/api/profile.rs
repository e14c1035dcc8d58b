//! `users/me/`: oneself.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    Answer,
    body::Body,
    user_fields::{UserFields, chosen_picture},
    users::{change_user, own_view},
};
use crate::{
    auth::{login_throttle::Attempt, passwords::Verdict},
    bus::News,
    core::model::{FieldErrors, Refusal},
    error::ApiError,
    middleware::authenticate::Authenticated,
    net::forwarded,
    state::State,
    storage::tables::users::{self, User},
};

/// `GET users/me/`
pub async fn show(state: Data<State>, caller: Authenticated) -> Answer {
    let user = oneself(&state, &caller).await?;
    Ok(HttpResponse::Ok().json(own_view(&user, &user.card(), &state.links)))
}

/// `PATCH users/me/`: one's names and picture, and one's password for whoever knows the one that it replaces.
pub async fn update(state: Data<State>, caller: Authenticated, request: HttpRequest, body: Body) -> Answer {
    let mut fields = body.json::<UserFields>()?;
    if fields.has_picture() {
        fields.leave_out_picture_of(&oneself(&state, &caller).await?.card(), &state.links);
    }
    let (mut change, proof) = fields.check_own_change()?;
    change.avatar_url = change.avatar_url.map(|address| chosen_picture(&state, &address)).transpose()?;
    // Kept until the new password is hashed, so that one who knows their own does not fill the queue.
    let _attempt = match proof {
        Some(proof) => Some(prove(&state, &caller, &request, proof).await?),
        None => None,
    };
    let user = change_user(&state, &caller, &request, caller.id(), change).await?;
    Ok(HttpResponse::Ok().json(own_view(&user, &user.card(), &state.links)))
}

async fn oneself(state: &State, caller: &Authenticated) -> Result<User, Refusal> {
    let id = caller.id();
    state.readers.ask_one(move |conn| users::find(conn, id)).await?.ok_or(Refusal::NotFound)
}

/// Checks a password. Guesses count like those at the door.
async fn prove(
    state: &State,
    caller: &Authenticated,
    request: &HttpRequest,
    password: String,
) -> Result<Attempt, ApiError> {
    let address = forwarded::client_address(request, &state.config);
    let attempt = state.failures.attempt(address, &caller.card.username).await?;
    let user = oneself(state, caller).await?;
    if matches!(state.hasher.verify(password, Some(user.password)).await?, Verdict::Wrong) {
        let (address, account) = attempt.failed();
        state.bus.publish(News::SignInFailed { address, account });
        return Err(FieldErrors::of("old_password", "This is not your password.").into());
    }
    Ok(attempt)
}
