//! Signing in and out, and making an account.

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
    Answer,
    body::Body,
    page::Query,
    users::{UserFields, chosen_picture, own_view},
};
use crate::{
    auth::{
        NewPassword, cross_site,
        passwords::Verdict,
        sessions::{PASSWORD, USER},
    },
    bus::News,
    config::Registration,
    error::ApiError,
    forwarded,
    input::Field,
    model::{FieldErrors, Refusal},
    server::State,
    storage::users::{self, User},
};

#[derive(Deserialize, ToSchema)]
pub(crate) struct LoginFields {
    #[serde(default)]
    #[schema(value_type = String, required)]
    username: Field,
    #[serde(default)]
    #[schema(value_type = String, required)]
    password: Field,
    /// Where a browser is sent then: a path of this site.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    next: Field,
}

/// `POST /login/`
pub async fn login(state: Data<State>, session: Session, request: HttpRequest, body: Body) -> Answer {
    cross_site::check_sign_in(&request, &state.config)?;
    let fields: LoginFields = body.json_or_form()?;
    let mut errors = FieldErrors::default();
    let username = errors.note("username", fields.username.text());
    let password = errors.note("password", fields.password.text());
    let (Some(username), Some(password)) = (username, password) else { return Err(errors.into()) };
    let username = username.trim().to_owned();

    let address = forwarded::client_address(&request, &state.config);
    let attempt = state.failures.attempt(address, &username).await?;
    let Some(user) = verified(&state, username, password).await? else {
        tracing::info!(%address, "a sign-in failed");
        let (address, account) = attempt.failed();
        state.bus.publish(News::SignInFailed { address, account });
        return Err(ApiError::WrongPassword);
    };
    drop(attempt);
    session.renew();
    session.insert(USER, user.id).map_err(|_| Refusal::Internal)?;
    session.insert(PASSWORD, &user.password).map_err(|_| Refusal::Internal)?;

    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        let next = fields.next.optional_text().ok().flatten();
        let next = next.or_else(|| Query::of(&request).get("next").map(str::to_owned));
        let mut next = next.filter(|path| is_own_path(path)).unwrap_or_else(|| "/".to_owned());
        if is_lost(&state, &request) {
            // Over plain HTTP the browser keeps no cookie: it is sent to where it does.
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
            next = format!("{}/login/?{query}", state.base_url(&request));
        }
        return Ok(HttpResponse::SeeOther().insert_header((LOCATION, next)).finish());
    }
    Ok(HttpResponse::Ok().json(own_view(&user, &user.card(), &state.links)))
}

/// Whether a browser lets go of the cookie at once: it is for HTTPS alone, and the page was opened over plain HTTP.
fn is_lost(state: &State, request: &HttpRequest) -> bool {
    let origin = request.headers().get(ORIGIN).and_then(|value| value.to_str().ok());
    state.config.is_https() && origin.is_some_and(|origin| origin.starts_with("http://"))
}

/// The active user with this name and password.
async fn verified(state: &State, username: String, password: String) -> Result<Option<User>, Refusal> {
    let user = state.readers.ask_one(move |conn| users::by_username(conn, &username)).await?;
    let user = user.filter(|user| user.is_active);
    let stored = user.as_ref().map(|user| user.password.clone());
    let verdict = state.hasher.verify(password, stored.clone()).await?;
    let (Some(mut user), Some(old)) = (user, stored) else { return Ok(None) };
    match verdict {
        Verdict::Wrong => Ok(None),
        Verdict::Right => Ok(Some(user)),
        Verdict::RightRehashed(new) => {
            let id = user.id();
            user.password.clone_from(&new);
            state.writer.run(move |conn, _| users::rehash(conn, id, &old, &new)).await?;
            Ok(Some(user))
        }
    }
}

/// Whether a browser may be sent there: a path of this site and nothing that a browser takes for another site.
pub(crate) fn is_own_path(path: &str) -> bool {
    let is_plain = path.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\');
    path.starts_with('/') && !path.starts_with("//") && is_plain
}

/// `POST /logout/`; done twice it stays done.
pub async fn logout(state: Data<State>, session: Session, request: HttpRequest) -> Answer {
    cross_site::check(&request, &state.config)?;
    session.purge();
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /register/`
pub async fn register(state: Data<State>, request: HttpRequest, body: Body) -> Answer {
    cross_site::check(&request, &state.config)?;
    if state.config.registration == Registration::Closed {
        return Err(ApiError::FORBIDDEN);
    }
    let (mut new, password) = body.json_or_form::<UserFields>()?.check_new(true)?;
    new.is_registered = true;
    new.avatar_url = chosen_picture(&state, &new.avatar_url)?;
    let throttled = |seconds| ApiError::Throttled { seconds };
    let address = forwarded::client_address(&request, &state.config);
    let name = new.username.clone();
    if state.readers.ask_one(move |conn| users::is_taken(conn, &name)).await? {
        state.registrations.taken(address).map_err(throttled)?;
        return Err(FieldErrors::of("username", users::USERNAME_TAKEN).into());
    }
    let place = state.registrations.place(address).map_err(throttled)?;
    let password = NewPassword { password: password.unwrap_or_default(), known: new.known() };
    new.password = state.hasher.hash_to_register(password).await?;
    let user = state.writer.run(move |conn, _| users::create(conn, &new)).await?;
    place.keep();
    Ok(HttpResponse::Created().json(own_view(&user, &user.card(), &state.links)))
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
