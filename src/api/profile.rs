//! `users/me/`: the caller's own account.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    HandlerResult,
    body::Body,
    user_fields::{UserFields, chosen_picture},
    users::answer_own,
};
use crate::{
    core::model::Refusal, middleware::authenticate::Authenticated, net::forwarded, services::accounts,
    state::AppState,
};

/// Error for changing names that an identity provider sets.
const CLAIMED_NAME: &str = "Your names come from the service that you sign in with. Change them there.";

/// `GET users/me/`
pub async fn show(state: Data<AppState>, caller: Authenticated) -> HandlerResult {
    let user = accounts::find(&state, caller.id()).await?;
    answer_own(&state, HttpResponse::Ok(), &user, caller.is_staff).await
}

/// `PATCH users/me/`: changes the caller's names, picture, custom data and password. A new password needs `old_password`.
pub async fn update(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    body: Body,
) -> HandlerResult {
    let mut fields = body.json::<UserFields>()?;
    if fields.has_picture() {
        fields.leave_out_picture_of(&accounts::find(&state, caller.id()).await?.card(), &state.links);
    }
    let (mut change, proof) = fields.check_own_change(caller.is_staff)?;
    let sets_name = change.profile.first_name.is_some() || change.profile.last_name.is_some();
    if sets_name && state.jwt.is_some() && accounts::has_claimed_name(&state, caller.id()).await? {
        return Err(Refusal::NotAllowed(CLAIMED_NAME).into());
    }
    let picture = &mut change.profile.avatar_url;
    *picture = picture.take().map(|address| chosen_picture(&state, &address)).transpose()?;
    let from = forwarded::client_address(&request, &state.config);
    // Held until the new password is hashed, so that one user cannot fill the hashing queue.
    let _attempt = match proof {
        Some(proof) => Some(accounts::verify_own_password(&state, &caller, from, proof).await?),
        None => None,
    };
    let user = accounts::change_user(&state, &caller, from, caller.id(), change).await?;
    answer_own(&state, HttpResponse::Ok(), &user, caller.is_staff).await
}
