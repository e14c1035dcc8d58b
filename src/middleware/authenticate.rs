//! The door of everything below the API's base: who is asking, is there such a path, may the request ride on a cookie, has
//! the caller asked too much.

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

use super::csrf;
use crate::{
    auth::{
        Caller,
        session_store::{KEY_HASH, RENEWED},
    },
    core::{
        model::{Credential, Refusal, Timestamp, UserId, time::DAY},
        secrets,
    },
    error::ApiError,
    paths::BASE,
    rate_limit::Kind,
    state::State,
    storage::Asker,
};

/// Lets a request in that proves who asks, in this order: 401, unknown path, cross-site, too much.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match admit(&request).await {
        Ok(caller) => {
            let answer = Asker::User(caller).asks(next.call(request)).await;
            answer.map(ServiceResponse::map_into_boxed_body)
        }
        Err(error) => Ok(request.into_response(error.error_response())),
    }
}

/// Returns who asks.
async fn admit(request: &ServiceRequest) -> Result<UserId, ApiError> {
    let state = request.app_data::<Data<State>>().ok_or(ApiError::NOT_FOUND)?.clone();
    let credential = credential(request.request()).ok_or(ApiError::Unauthenticated)?;
    let caller = state.identities.caller(&credential).await?.ok_or(ApiError::Unauthenticated)?;
    // Also where the request is refused: the log says by whom it was sent.
    request.extensions_mut().insert(caller.clone());
    let rides_on_cookie = matches!(credential, Credential::Session(_));
    let mut admitted = Ok(());
    if rides_on_cookie && is_unsafe(request.request()) {
        admitted = csrf::check(request.request(), &state.config);
    }
    if let Err(error) = admitted.and_then(|()| within_limits(request, &state, caller.id())) {
        // A path that is not there is not there for other sites either, and however often it is asked for.
        let is_known = request.resource_map().has_resource(request.match_info().as_str());
        return Err(if is_known { error } else { ApiError::NOT_FOUND });
    }
    state.sightings.note(&caller, request.request(), &state.config);
    renew(request.request(), &caller);
    Ok(caller.id())
}

/// Whether the caller may ask this now. Sockets are limited by what is sent over them.
fn within_limits(request: &ServiceRequest, state: &State, caller: UserId) -> Result<(), ApiError> {
    let path = request.match_info().as_str().strip_prefix(BASE).filter(|_| state.limits.is_on());
    let Some(path) = path else { return Ok(()) };
    let kind = Kind::of_request(request.method(), path, request.query_string());
    state.limits.take(caller, kind).map_err(|seconds| ApiError::Throttled { seconds })
}

/// Who opens a page, by the session of their cookie.
pub async fn visitor(request: &HttpRequest, state: &State) -> Result<Option<Arc<Caller>>, Refusal> {
    let Some(session) = session(request) else { return Ok(None) };
    let caller = state.identities.caller(&session).await?;
    if let Some(caller) = &caller {
        state.sightings.note(caller, request, &state.config);
        renew(request, caller);
    }
    Ok(caller)
}

/// Who asks for something that is not behind the gate, where they prove it.
pub async fn caller(request: &HttpRequest, state: &State) -> Result<Option<Arc<Caller>>, Refusal> {
    let Some(credential) = credential(request) else { return Ok(None) };
    state.identities.caller(&credential).await
}

/// What a request proves its sender with; a token where there is one, else the session of the cookie.
fn credential(request: &HttpRequest) -> Option<Credential> {
    // Other schemes are for others, a proxy's Basic for example.
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

/// The session of the cookie.
fn session(request: &HttpRequest) -> Option<Credential> {
    request.get_session().get::<String>(KEY_HASH).ok().flatten().map(Credential::Session)
}

/// Browsers cannot set a header on a socket's handshake: there a token comes as a subprotocol of this name.
pub const TOKEN_SUBPROTOCOL: &str = "greenroom.token.";

/// The token among the subprotocols that a handshake offers.
pub fn subprotocol_token(request: &HttpRequest) -> Option<&str> {
    let offered = request.headers().get("sec-websocket-protocol")?.to_str().ok()?;
    offered.split(',').find_map(|protocol| protocol.trim().strip_prefix(TOKEN_SUBPROTOCOL))
}

/// Methods that change something, and the socket's upgrade, which can as well.
fn is_unsafe(request: &HttpRequest) -> bool {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    !is_safe || request.headers().contains_key("sec-websocket-key")
}

/// Once a day of use the session counts its idle time anew, and the browser gets the cookie for its full time again.
fn renew(request: &HttpRequest, caller: &Caller) {
    let due = caller.renewed_at.is_some_and(|last| last.plus(DAY) < Timestamp::now());
    if due {
        // It goes into the state only to change it, which makes actix-session send the cookie.
        let _ = request.get_session().insert(RENEWED, Timestamp::now().0);
    }
}

/// The caller, in handlers behind the gate.
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
