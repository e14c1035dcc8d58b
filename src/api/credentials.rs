//! `users/me/sessions/` and `users/me/tokens/`: list and revoke the caller's own credentials.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    HandlerResult,
    page::{PageNumber, PageView},
    path::Id,
    query::Query,
};
use crate::{
    auth::audit,
    core::model::{Credential, SessionId, Timestamp, TokenId},
    error::ApiError,
    middleware::authenticate::Authenticated,
    net::forwarded,
    state::AppState,
    storage::tables::{sessions, tokens},
    view::{AccessTokenView, SessionView, UseView},
};

const PAGE_SIZE: i64 = 100;

/// `GET users/me/sessions/`
pub async fn sessions(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let page = PageNumber::of(&Query::of(&request), PAGE_SIZE)?;
    let _ = state.sightings.store(&state.writer).await;
    let user = caller.id();
    let (count, found) =
        state.readers.query(move |conn| sessions::page(conn, user, page.skip(), page.size)).await?;
    page.check(count)?;
    let view = |session: sessions::Session| {
        let credential = Credential::Session(session.key_hash);
        let seen = last_seen(&state, &caller, &credential, session.seen_at);
        let is_current = caller.credential == credential;
        let use_ = UseView::new(session.created_at, seen, session.origin, is_current);
        SessionView { id: session.id, use_, expires_at: session.ends_at }
    };
    let results = found.into_iter().map(view).collect();
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}

/// `GET users/me/tokens/`
pub async fn tokens(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let page = PageNumber::of(&Query::of(&request), PAGE_SIZE)?;
    let _ = state.sightings.store(&state.writer).await;
    let user = caller.id();
    let (count, found) =
        state.readers.query(move |conn| tokens::page(conn, user, page.skip(), page.size)).await?;
    page.check(count)?;
    let view = |token: tokens::KnownToken| {
        let credential = Credential::Token(token.key_hash);
        let seen = last_seen(&state, &caller, &credential, token.seen_at);
        let use_ = UseView::new(token.created_at, seen, token.origin, caller.credential == credential);
        AccessTokenView { id: token.id, use_, expires_at: token.expires_at }
    };
    let results = found.into_iter().map(view).collect();
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}

/// Returns when a credential was last used. A credential with an open socket on this node is in use now.
fn last_seen(
    state: &AppState,
    caller: &Authenticated,
    credential: &Credential,
    stored: Option<Timestamp>,
) -> Option<Timestamp> {
    let is_open = state.hub.credentials_of(caller.id()).contains(credential);
    if is_open { Some(Timestamp::now()) } else { stored }
}

/// `DELETE users/me/sessions/{session}/`
pub async fn end_session(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    session: Id<SessionId>,
) -> HandlerResult {
    let (user, id) = (caller.id(), session.0);
    let is_ended = state.writer.run("end_session", move |conn, _| sessions::end_one(conn, user, id)).await?;
    ended(&state, &caller, &request, "ended a session", is_ended).await
}

/// `DELETE users/me/sessions/`: ends all sessions except the current one.
pub async fn end_sessions(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
) -> HandlerResult {
    let (user, spared) = (caller.id(), caller.credential.clone());
    let end = state.writer.run("end_sessions", move |conn, _| match &spared {
        Credential::Session(hash) => sessions::end_all(conn, user, Some(hash)),
        Credential::Token(_) | Credential::Jwt(_) => sessions::end_all(conn, user, None),
    });
    end.await?;
    ended(&state, &caller, &request, "ended all other sessions", true).await
}

/// `DELETE users/me/tokens/{token}/`
pub async fn end_token(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    token: Id<TokenId>,
) -> HandlerResult {
    let (user, id) = (caller.id(), token.0);
    let is_ended = state.writer.run("end_token", move |conn, _| tokens::revoke(conn, user, id)).await?;
    ended(&state, &caller, &request, "ended a token", is_ended).await
}

/// `DELETE users/me/tokens/`: revokes all tokens except the current one.
pub async fn end_tokens(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let (user, spared) = (caller.id(), caller.credential.clone());
    let end = state.writer.run("end_tokens", move |conn, _| match &spared {
        Credential::Token(hash) => tokens::revoke_others(conn, user, Some(hash)),
        Credential::Session(_) | Credential::Jwt(_) => tokens::revoke_all(conn, user),
    });
    end.await?;
    ended(&state, &caller, &request, "ended all other tokens", true).await
}

/// Invalidates cached identities and closes the sockets of revoked credentials, on all nodes. Returns 404 if
/// nothing was revoked.
async fn ended(
    state: &AppState,
    caller: &Authenticated,
    request: &HttpRequest,
    what: &str,
    is_ended: bool,
) -> HandlerResult {
    if !is_ended {
        return Err(ApiError::NOT_FOUND);
    }
    state.identities.invalidate(caller.id()).await;
    let from = forwarded::client_address(request, &state.config);
    audit::note(what, audit::AuditUser::from(&*caller.card), from);
    Ok(HttpResponse::NoContent().finish())
}
