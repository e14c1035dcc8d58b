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
    net::forwarded,
    services::external_users,
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
    let presented = presented(request.request(), &state).ok_or(ApiError::Unauthenticated)?;
    let caller = resolve(request.request(), &state, presented).await?.ok_or(ApiError::Unauthenticated)?;
    // Set before the checks, so that the log names the caller of a refused request too.
    request.extensions_mut().insert(caller.clone());
    let uses_cookie = matches!(caller.credential, Credential::Session(_));
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
pub async fn caller(request: &HttpRequest, state: &AppState) -> Result<Option<Arc<Caller>>, ApiError> {
    let Some(presented) = presented(request, state) else { return Ok(None) };
    match resolve(request, state, presented).await {
        Err(ApiError::InvalidJwt) => Ok(None),
        caller => caller,
    }
}

/// The credential that a request presents.
enum Presented {
    Known(Credential),
    /// A JSON Web Token that has yet to be verified.
    Jwt(String),
}

/// Returns the credential of a request: a token if there is one, else the session of the cookie.
fn presented(request: &HttpRequest, state: &AppState) -> Option<Presented> {
    // Other schemes are ignored: they are meant for others, such as Basic for a proxy. So is Bearer if JSON Web
    // Tokens are off.
    let header = request.headers().get(AUTHORIZATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    if let Some(header) = &header {
        let (scheme, key) = header.split_once([' ', '\t']).unwrap_or((header, ""));
        let key = key.trim();
        if scheme.eq_ignore_ascii_case("token") && !key.is_empty() {
            return Some(Presented::Known(Credential::Token(secrets::hash(key))));
        }
        if scheme.eq_ignore_ascii_case("bearer") && state.jwt.is_some() {
            return Some(Presented::Jwt(key.to_owned()));
        }
    }
    match subprotocol(request, state) {
        Some(Subprotocol::Token(key)) => Some(Presented::Known(Credential::Token(secrets::hash(key)))),
        Some(Subprotocol::Jwt(token)) => Some(Presented::Jwt(token.to_owned())),
        None => session(request).map(Presented::Known),
    }
}

async fn resolve(
    request: &HttpRequest,
    state: &AppState,
    presented: Presented,
) -> Result<Option<Arc<Caller>>, ApiError> {
    match (presented, &state.jwt) {
        (Presented::Known(credential), _) => Ok(state.identities.caller(&credential).await?),
        (Presented::Jwt(token), Some(verifier)) => {
            let from = || forwarded::client_address(request, &state.config);
            external_users::authenticate(state, verifier, &token, from).await.map(Some)
        }
        (Presented::Jwt(_), None) => Ok(None),
    }
}

/// Returns the session of the cookie.
fn session(request: &HttpRequest) -> Option<Credential> {
    request.extensions().get::<CookieSession>().map(|session| session.credential.clone())
}

/// Prefixes of the subprotocols that carry a credential in a WebSocket handshake, where browsers cannot set
/// headers.
const TOKEN_SUBPROTOCOL: &str = "greenroom.token.";
const JWT_SUBPROTOCOL: &str = "greenroom.jwt.";

/// A credential that a handshake offers as a subprotocol.
pub enum Subprotocol<'r> {
    Token(&'r str),
    Jwt(&'r str),
}

impl Subprotocol<'_> {
    /// Returns the subprotocol as it was offered.
    pub fn offered(&self) -> String {
        match self {
            Self::Token(key) => format!("{TOKEN_SUBPROTOCOL}{key}"),
            Self::Jwt(token) => format!("{JWT_SUBPROTOCOL}{token}"),
        }
    }
}

/// Returns the credential among the subprotocols that a handshake offers.
pub fn subprotocol<'r>(request: &'r HttpRequest, state: &AppState) -> Option<Subprotocol<'r>> {
    let offered = request.headers().get("sec-websocket-protocol")?.to_str().ok()?;
    let mut offered = offered.split(',').map(str::trim);
    offered.find_map(|protocol| match protocol.strip_prefix(TOKEN_SUBPROTOCOL) {
        Some(key) => Some(Subprotocol::Token(key)),
        None => protocol.strip_prefix(JWT_SUBPROTOCOL).filter(|_| state.jwt.is_some()).map(Subprotocol::Jwt),
    })
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
