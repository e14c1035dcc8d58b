//! Cross-origin requests (CORS): responses to the browsers of other sites that the settings allow.

use actix_web::{
    HttpResponse,
    dev::ServiceRequest,
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
};

use super::csrf;
use crate::state::AppState;

/// Returns the request's origin if the settings allow it.
pub(super) fn allowed_origin(request: &ServiceRequest, state: &AppState) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    csrf::is_allowed(origin.to_str().ok()?, &state.config).then(|| origin.clone())
}

/// Allows a page of this origin to read a response.
pub(super) fn allow(origin: &HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Retry-After, X-Request-Id, ETag, Date"),
    );
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// Whether a request is a CORS preflight.
pub(super) fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Answers a preflight request of an allowed origin.
pub(super) fn preflight_response() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, Last-Event-ID"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}
