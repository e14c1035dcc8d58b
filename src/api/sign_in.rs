//! Sign-in, sign-out and registration.

use std::time::Instant;

use actix_session::Session;
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT, LOCATION, ORIGIN},
    web::Data,
};
use serde::Deserialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::{
    HandlerResult,
    body::Body,
    query::Query,
    user_fields::{UserFields, chosen_picture},
    users::answer_own,
};
use crate::{
    auth::{
        NewPassword, NewSession, Sessions,
        audit::{self, AuditUser},
        sightings,
    },
    config::Registration,
    core::model::FieldErrors,
    error::ApiError,
    input::Field,
    middleware::{authenticate, csrf},
    net::forwarded,
    services::accounts::{self, Verified},
    state::AppState,
    storage::tables::users,
};

#[derive(Deserialize, ToSchema)]
pub(crate) struct LoginFields {
    #[serde(default)]
    #[schema(value_type = String, required)]
    username: Field,
    #[serde(default)]
    #[schema(value_type = String, required)]
    password: Field,
    /// Path on this site that a browser is redirected to after sign-in.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    next: Field,
}

/// `POST /login/`
pub async fn login(
    state: Data<AppState>,
    session: Session,
    request: HttpRequest,
    body: Body,
) -> HandlerResult {
    csrf::check_sign_in(&request, &state.config)?;
    let fields: LoginFields = body.json_or_form()?;
    let mut errors = FieldErrors::default();
    let username = errors.note("username", fields.username.text());
    let password = errors.note("password", fields.password.text());
    let (Some(username), Some(password)) = (username, password) else { return Err(errors.into()) };
    let username = username.trim().to_owned();

    let address = forwarded::client_address(&request, &state.config);
    let attempt = match state.login_throttle.attempt(address, &username).await {
        Ok(attempt) => attempt,
        Err(error) => {
            audit::note("sign-in turned away: too many have failed", None::<AuditUser>, address);
            return Err(error);
        }
    };
    let began = Instant::now();
    let user = match accounts::verify_credentials(&state, username, password).await? {
        Verified::Right(user) => user,
        Verified::Wrong(named) => {
            // An unknown name is not logged: it may be a password typed into the wrong field.
            audit::note("sign-in failed", named.as_ref().map(AuditUser::from), address);
            accounts::record_failure(&state, attempt);
            state.passwords.level(began).await;
            return Err(ApiError::WrongPassword);
        }
    };
    drop(attempt);
    let origin = sightings::origin(&request, &state.config);
    Sessions::start(&session, NewSession { user: user.id(), password_hash: user.password.clone(), origin })?;
    audit::note("signed in", AuditUser::from(&user), address);

    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        let next = fields.next.optional_text().ok().flatten();
        let next = next.or_else(|| Query::of(&request).get("next").map(str::to_owned));
        let mut next = next.filter(|path| is_own_path(path)).unwrap_or_else(|| "/".to_owned());
        if is_lost(&state, &request) {
            // Over plain HTTP the browser drops a `Secure` cookie, so redirect it to the HTTPS sign-in page.
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
            next = format!("{}/login/?{query}", forwarded::base_url(&request, &state.config));
        }
        return Ok(HttpResponse::SeeOther().insert_header((LOCATION, next)).finish());
    }
    answer_own(&state, HttpResponse::Ok(), &user, user.is_staff).await
}

/// Whether a browser would drop the session cookie: it is `Secure`, but the page was loaded over HTTP.
fn is_lost(state: &AppState, request: &HttpRequest) -> bool {
    let origin = request.headers().get(ORIGIN).and_then(|value| value.to_str().ok());
    state.config.is_https() && origin.is_some_and(|origin| origin.starts_with("http://"))
}

/// Whether a redirect target is safe: a path on this site that no browser reads as another site's URL.
pub(crate) fn is_own_path(path: &str) -> bool {
    let is_plain = path.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\');
    path.starts_with('/') && !path.starts_with("//") && is_plain
}

/// `POST /logout/`; idempotent.
pub async fn logout(state: Data<AppState>, session: Session, request: HttpRequest) -> HandlerResult {
    csrf::check(&request, &state.config)?;
    if let Some(caller) = authenticate::optional_user(&request, &state).await? {
        let from = forwarded::client_address(&request, &state.config);
        audit::note("signed out", AuditUser::from(&*caller.card), from);
    }
    session.purge();
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /register/`
pub async fn register(state: Data<AppState>, request: HttpRequest, body: Body) -> HandlerResult {
    csrf::check(&request, &state.config)?;
    if state.config.registration == Registration::Closed {
        return Err(ApiError::FORBIDDEN);
    }
    let (mut new, password) = body.json_or_form::<UserFields>()?.check_new(true)?;
    new.is_registered = true;
    new.avatar_url = chosen_picture(&state, &new.avatar_url)?;
    let throttled = |seconds| ApiError::Throttled { seconds };
    let address = forwarded::client_address(&request, &state.config);
    let name = new.username.clone();
    if state.readers.query_one(move |conn| users::is_taken(conn, &name)).await? {
        state.registrations.taken(address).map_err(throttled)?;
        return Err(FieldErrors::of("username", users::USERNAME_TAKEN).into());
    }
    let mut place = state.registrations.place(address).map_err(throttled)?;
    let password = NewPassword { password: password.unwrap_or_default(), known: new.known() };
    new.password = state.passwords.hash_to_register(password).await?;
    place.keep();
    let user = match state.writer.run("register_user", move |conn, _| users::create(conn, &new)).await {
        Ok(user) => user,
        Err(refusal) => {
            place.give_back();
            return Err(refusal.into());
        }
    };
    audit::note("registered", AuditUser::from(&user), address);
    answer_own(&state, HttpResponse::Created(), &user, false).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_gone_to() {
        for good in ["/", "/messages/", "/a?b=c#d", "/a//b"] {
            assert!(is_own_path(good), "{good}");
        }
        for bad in
            ["", "//evil.example", "https://evil.example", "/\\evil", "a", "/a\r\nX: y", "javascript:x"]
        {
            assert!(!is_own_path(bad), "{bad}");
        }
    }
}
