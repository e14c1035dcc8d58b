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
static HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Default headers of all that a browser could show as a document. Scripts and styles do without: a first visit loads
/// about sixty of them, and these headers were a fifteenth of its bytes.
static DOCUMENT_HEADERS: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
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
        let documents = if is_code(headers) { &[][..] } else { &DOCUMENT_HEADERS[..] };
        for (name, value) in HEADERS.iter().chain(documents) {
            if !headers.contains_key(name) {
                headers.insert(name.clone(), HeaderValue::from_static(value));
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

/// Returns whether a response is a script or a style sheet, which browsers do not run where it is shown.
fn is_code(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("text/javascript") || value.starts_with("text/css"))
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
