//! Authentication middleware of all paths below the API's base. It checks the credential, the path, and the
//! origin of cookie-authenticated requests.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_session::SessionExt;
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{Method, header::AUTHORIZATION},
    middleware::Next,
    web::Data,
};

use super::{csrf, session_cookie::CookieSession};
use crate::{
    auth::{Caller, session_store::RENEWED},
    core::{
        model::{Credential, Refusal, Timestamp, UserId},
        secrets,
    },
    error::ApiError,
    state::AppState,
    storage::Principal,
};

/// Admits authenticated requests. Errors take precedence in this order: 401, unknown path, cross-site. The
/// route then checks the rate limit.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match admit(&request).await {
        Ok(caller) => {
            let answer = Principal::User(caller).scope(next.call(request)).await;
            answer.map(ServiceResponse::map_into_boxed_body)
        }
        Err(error) => Ok(request.into_response(error.error_response())),
    }
}

/// Checks a request and returns the caller's id.
async fn admit(request: &ServiceRequest) -> Result<UserId, ApiError> {
    let state = request.app_data::<Data<AppState>>().ok_or(ApiError::NOT_FOUND)?.clone();
    let credential = credential(request.request()).ok_or(ApiError::Unauthenticated)?;
    let caller = state.identities.caller(&credential).await?.ok_or(ApiError::Unauthenticated)?;
    // Set before the checks, so that the log names the caller of a refused request too.
    request.extensions_mut().insert(caller.clone());
    let uses_cookie = matches!(credential, Credential::Session(_));
    if uses_cookie
        && is_unsafe(request.request())
        && let Err(error) = csrf::check(request.request(), &state.config)
    {
        // An unknown path gives 404 also to cross-site requests.
        let is_known = request.resource_map().has_resource(request.match_info().as_str());
        return Err(if is_known { error } else { ApiError::NOT_FOUND });
    }
    state.sightings.note(&caller, request.request(), &state.config);
    renew(request.request(), &caller);
    Ok(caller.id())
}

/// Returns the user of the session cookie, if any. Records the use and renews the session.
pub async fn optional_user(request: &HttpRequest, state: &AppState) -> Result<Option<Arc<Caller>>, Refusal> {
    let Some(session) = session(request) else { return Ok(None) };
    let caller = state.identities.caller(&session).await?;
    if let Some(caller) = &caller {
        state.sightings.note(caller, request, &state.config);
        renew(request, caller);
    }
    Ok(caller)
}

/// Returns the authenticated caller of a request outside this middleware, if any.
pub async fn caller(request: &HttpRequest, state: &AppState) -> Result<Option<Arc<Caller>>, Refusal> {
    let Some(credential) = credential(request) else { return Ok(None) };
    state.identities.caller(&credential).await
}

/// Returns the credential of a request: a token if there is one, else the session of the cookie.
fn credential(request: &HttpRequest) -> Option<Credential> {
    // Other schemes are ignored: they are meant for others, such as Basic for a proxy.
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some((scheme, key)) = header.and_then(|header| header.split_once(' '))
        && scheme.eq_ignore_ascii_case("token")
    {
        return Some(Credential::Token(secrets::hash(key.trim())));
    }
    if let Some(key) = subprotocol_token(request) {
        return Some(Credential::Token(secrets::hash(key)));
    }
    session(request)
}

/// Returns the session of the cookie.
fn session(request: &HttpRequest) -> Option<Credential> {
    request.extensions().get::<CookieSession>().map(|session| session.credential.clone())
}

/// Prefix of the subprotocol that carries a token in a WebSocket handshake, where browsers cannot set
/// headers.
pub const TOKEN_SUBPROTOCOL: &str = "greenroom.token.";

/// Returns the token among the subprotocols that a handshake offers.
pub fn subprotocol_token(request: &HttpRequest) -> Option<&str> {
    let offered = request.headers().get("sec-websocket-protocol")?.to_str().ok()?;
    offered.split(',').find_map(|protocol| protocol.trim().strip_prefix(TOKEN_SUBPROTOCOL))
}

/// Whether a request can change state: unsafe methods, and the handshake of a WebSocket, which accepts
/// commands.
fn is_unsafe(request: &HttpRequest) -> bool {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    !is_safe || request.headers().contains_key("sec-websocket-key")
}

/// Renews a session that was last renewed more than a day ago. This restarts its idle timeout and the
/// lifetime of the cookie.
fn renew(request: &HttpRequest, caller: &Caller) {
    // A token takes precedence over a cookie.
    let is_its_own = |session: &CookieSession| session.is_due && session.credential == caller.credential;
    let is_due = request.extensions().get().is_some_and(is_its_own);
    if is_due {
        // Any change of the state makes actix-session send the cookie.
        let _ = request.get_session().insert(RENEWED, Timestamp::now().0);
    }
}

/// Extractor for the caller, in handlers behind this middleware.
pub struct Authenticated(pub Arc<Caller>);

impl std::ops::Deref for Authenticated {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequest for Authenticated {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Arc<Caller>>().cloned();
        ready(caller.map(Self).ok_or(ApiError::Unauthenticated))
    }
}
