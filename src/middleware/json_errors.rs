//! Conversion of actix-web's errors to the JSON form of the API.

use actix_web::{
    Error, HttpResponse,
    body::BoxBody,
    dev::ServiceResponse,
    http::header::{self, HeaderValue},
};

use crate::{core::model::Refusal, error::ApiError};

/// Converts an error response of actix-web, which is not JSON, to the form that clients expect.
pub(super) fn in_json(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_json = kind.is_some_and(|kind| kind.starts_with(b"application/json"));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let detail = status.canonical_reason().unwrap_or("Error");
    let mut plain = HttpResponse::build(status).json(serde_json::json!({ "detail": format!("{detail}.") }));
    for (name, value) in response.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            plain.headers_mut().append(name.clone(), value.clone());
        }
    }
    response.into_response(plain)
}

/// Converts an error returned by a middleware. One that is not an [`ApiError`] is from the session
/// middleware, which could not read its rows.
pub(super) fn as_api_error(error: &Error) -> ApiError {
    error.as_error::<ApiError>().cloned().unwrap_or(ApiError::Refused(Refusal::StorageAway))
}
