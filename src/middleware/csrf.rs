//! CSRF protection: rejects cookie-authenticated requests that another site made the browser send.

use actix_web::{HttpRequest, http::header::ORIGIN};
use url::{Origin, Url};

use crate::{config::Config, error::ApiError, net::forwarded};

/// Checks the origin of a request that is authenticated by a cookie. Requests without the headers that
/// browsers send pass: no browser made them, so no other site can have caused them.
pub fn check(request: &HttpRequest, config: &Config) -> Result<(), ApiError> {
    let is_https = config.is_https() || forwarded::is_https(request, config);
    check_from(request, config, is_https)
}

/// Checks the origin of a sign-in. A page of the public host that was loaded over plain HTTP may send it too;
/// the response redirects it to HTTPS.
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

/// Whether an origin is in the setting `allowed_origins`.
pub fn is_allowed(origin: &str, config: &Config) -> bool {
    config.allowed_origins.iter().any(|allowed| allowed == origin)
}

/// Whether an origin is this server: the host of the request, or the public URL. If clients use HTTPS, an
/// HTTP origin counts as another site.
fn is_own(origin: &str, request: &HttpRequest, config: &Config, is_https: bool) -> bool {
    if config.public_url.as_deref() == Some(origin) {
        return true;
    }
    let Some(host) = forwarded::host(request, config) else { return false };
    let Ok(origin) = Url::parse(origin) else { return false };
    if is_https && origin.scheme() != "https" {
        return false;
    }
    // Behind a proxy without forwarding headers the scheme is unknown, so assume the origin's scheme for the
    // port.
    let Ok(own) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    matches!(origin.origin(), Origin::Tuple(..)) && origin.origin() == own.origin()
}
