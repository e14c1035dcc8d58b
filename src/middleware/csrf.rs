//! Requests that another site makes a browser send along with the cookie are refused.

use actix_web::{HttpRequest, http::header::ORIGIN};
use url::{Origin, Url};

use crate::{config::Config, error::ApiError, net::forwarded};

/// Whether a request may ride on the cookie. Requests without the headers that browsers send pass: no browser made
/// them, so there is no cookie that somebody else's page could abuse.
pub fn check(request: &HttpRequest, config: &Config) -> Result<(), ApiError> {
    let is_https = config.is_https() || forwarded::is_https(request, config);
    check_from(request, config, is_https)
}

/// The same for a sign-in, which also a page of the public host is to send that was opened over plain HTTP: the answer
/// leads it to the secure one.
pub fn check_sign_in(request: &HttpRequest, config: &Config) -> Result<(), ApiError> {
    check_from(request, config, forwarded::is_https(request, config))
}

fn check_from(request: &HttpRequest, config: &Config, is_https: bool) -> Result<(), ApiError> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("null"));
    let origin = header(ORIGIN.as_str());
    if origin.is_some_and(|origin| is_allowed(origin, config)) {
        return Ok(());
    }
    match header("sec-fetch-site") {
        Some("same-origin" | "none") => {}
        Some(_) => return Err(ApiError::CrossSite("the request comes from another site.")),
        None => {}
    }
    match origin {
        None => Ok(()),
        Some(origin) if is_own(origin, request, config, is_https) => Ok(()),
        Some(_) => Err(ApiError::CrossSite("Origin checking failed.")),
    }
}

/// Whether an origin is one of those allowed by setting.
pub fn is_allowed(origin: &str, config: &Config) -> bool {
    config.allowed_origins.iter().any(|allowed| allowed == origin)
}

/// Whether an origin is this very host: the address that the request was sent to, or the public one. Where clients come
/// over HTTPS, a page that did not is another's.
fn is_own(origin: &str, request: &HttpRequest, config: &Config, is_https: bool) -> bool {
    if config.public_url.as_deref() == Some(origin) {
        return true;
    }
    let Some(host) = forwarded::host(request, config) else { return false };
    let Ok(origin) = Url::parse(origin) else { return false };
    if is_https && origin.scheme() != "https" {
        return false;
    }
    // Behind a proxy that says nothing the scheme is not known, so the port is compared as the origin's own scheme reads it.
    let Ok(own) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    matches!(origin.origin(), Origin::Tuple(..)) && origin.origin() == own.origin()
}
