//! Headers that every response gets.

use actix_web::{
    dev::ServiceRequest,
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
};

use super::cors;
use crate::{config::Hsts, core::request_id::RequestId, net::forwarded, state::AppState};

/// Response header with the request's id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Default headers of every response. A handler can override each.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Headers that every response gets, independent of its handler.
pub(super) struct CommonHeaders {
    pub(super) id: RequestId,
    is_https: bool,
    hsts: Hsts,
    /// The request's origin, if it is a cross-origin request that the settings allow.
    pub(super) allowed_origin: Option<HeaderValue>,
}

impl CommonHeaders {
    pub(super) fn of(request: &ServiceRequest, state: &AppState) -> Self {
        Self {
            id: RequestId::next(),
            is_https: state.config.is_https() || forwarded::is_https(request.request(), &state.config),
            hsts: state.config.hsts,
            allowed_origin: cors::allowed_origin(request, state),
        }
    }

    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::try_from(self.id.to_string()) {
            headers.insert(REQUEST_ID, id);
        }
        for (name, value) in HEADERS {
            if !headers.contains_key(&name) {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        if self.is_https {
            if let Some(value) = self.hsts.header() {
                headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(value));
            }
            secure_cookies(headers);
        }
        if let Some(origin) = &self.allowed_origin {
            cors::allow(origin, headers);
        }
    }
}

/// Adds `Secure` to cookies, so that browsers return them over HTTPS only.
fn secure_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<HeaderValue> = headers.remove(header::SET_COOKIE).collect();
    for cookie in cookies {
        let text = cookie.to_str().unwrap_or_default();
        let is_secure = text.split(';').any(|part| part.trim().eq_ignore_ascii_case("secure"));
        let secured =
            if is_secure { Ok(cookie.clone()) } else { HeaderValue::from_str(&format!("{text}; Secure")) };
        headers.append(header::SET_COOKIE, secured.unwrap_or(cookie));
    }
}
