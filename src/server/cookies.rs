//! Configuration of the session cookie.

use actix_session::{
    SessionMiddleware,
    config::{CookieContentSecurity, PersistentSession, TtlExtensionPolicy},
};
use actix_web::cookie::{SameSite, time};

use crate::{auth::Sessions, state::AppState, storage::tables::sessions};

pub(super) fn session_middleware(state: &AppState) -> SessionMiddleware<Sessions> {
    let lifecycle = PersistentSession::default()
        .session_ttl(time::Duration::microseconds(sessions::IDLE))
        .session_ttl_extension_policy(TtlExtensionPolicy::OnStateChanges);
    let sessions =
        Sessions::new(state.identities.clone(), state.writer.clone(), state.config.max_sessions_per_user);
    SessionMiddleware::builder(sessions, state.session_cookies.key().clone())
        .cookie_name(state.session_cookies.name().to_owned())
        .cookie_path("/".to_owned())
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        // If a proxy terminates HTTPS, the common middleware adds `Secure` per request.
        .cookie_secure(state.config.is_https())
        // The key in the cookie is random. A signature is enough to reject forged cookies.
        .cookie_content_security(CookieContentSecurity::Signed)
        .session_lifecycle(lifecycle)
        .build()
}
