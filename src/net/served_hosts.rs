//! Check of the requested host. Malformed hosts are always rejected. If a public URL or a list of hosts is
//! set, all other hosts are rejected too.

use std::net::IpAddr;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::HOST,
    middleware::Next,
    web::Data,
};

use super::forwarded;
use crate::{
    config::Config,
    core::model::{
        FieldErrors,
        host_names::{name, split},
    },
    error::ApiError,
};

/// Error for a malformed host.
const NO_HOST: &str = "This is not a valid host.";

/// Error for a host that is not allowed.
const FOREIGN: &str =
    "This host is not served here. Its name belongs into GREENROOM_PUBLIC_URL or GREENROOM_ALLOWED_HOSTS.";

/// Maximum length of a label of a host that is logged; keys are longer.
const LONGEST_LABEL: usize = 20;

/// Paths that probes and Prometheus may request by IP address.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Checks that a request is for a host of this server.
pub fn check(request: &HttpRequest, config: &Config) -> Result<(), ApiError> {
    let refused = |sentence: &str| ApiError::from(FieldErrors::whole(sentence));
    let sent = match request.headers().get(HOST).map(|host| host.to_str()) {
        Some(Ok(host)) => Some(host),
        Some(Err(_)) => return Err(refused(NO_HOST)),
        None => None,
    };
    // An absolute URL in the request line has a host too.
    let asked = request.uri().authority().map(actix_http::uri::Authority::as_str);
    let read = |host| name(host).ok_or_else(|| refused(NO_HOST));
    let (sent, asked) = (sent.map(read).transpose()?, asked.map(read).transpose()?);
    let said = forwarded::host_by_proxy(request, config);
    let meant = said.as_deref().map(read).transpose()?.or(sent);
    let is_probe = PROBES.contains(&request.path().trim_end_matches('/'));
    for name in meant.into_iter().chain(asked) {
        if !is_served(&name, is_probe, config) {
            let host = if name.split('.').all(|label| label.len() <= LONGEST_LABEL) { &*name } else { "..." };
            tracing::info!(
                host,
                "rejected a request for an unknown host; GREENROOM_ALLOWED_HOSTS can allow it"
            );
            return Err(refused(FOREIGN));
        }
    }
    Ok(())
}

/// Middleware that rejects requests for other hosts, for apps without the common middleware.
pub async fn own_hosts(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let checked = match request.app_data::<Data<Config>>() {
        Some(config) => check(request.request(), config),
        None => Err(ApiError::NOT_FOUND),
    };
    match checked {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(error) => {
            let response: HttpResponse = error.error_response();
            Ok(request.into_response(response))
        }
    }
}

fn is_served(name: &str, is_probe: bool, config: &Config) -> bool {
    let public = config.public_url.as_deref().and_then(|url| split(url.split_once("://")?.1));
    let is_public = public.is_some_and(|(host, _)| host == name);
    if is_public || (public.is_none() && config.allowed_hosts.is_empty()) {
        return true;
    }
    let address: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
    let is_near = name == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback());
    is_near
        || (is_probe && address.is_some())
        || config.allowed_hosts.iter().any(|allowed| allowed.fits(name))
}
