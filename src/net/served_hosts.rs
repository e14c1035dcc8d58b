//! Which hosts this server is asked for: those that are no host at all are refused everywhere, and, where there is a public
//! address or a list of hosts, all others.

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

/// Said of a request whose host is none.
const NO_HOST: &str = "This is not a valid host.";

/// Said of a host that is another server's.
const FOREIGN: &str =
    "This host is not served here. Its name belongs into GREENROOM_PUBLIC_URL or GREENROOM_ALLOWED_HOSTS.";

/// Longest label of a host that is logged; keys are longer.
const LONGEST_LABEL: usize = 20;

/// Where probes and Prometheus ask, by the address of a machine.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Whether a request is for a host of this server.
pub fn check(request: &HttpRequest, config: &Config) -> Result<(), ApiError> {
    let refused = |sentence: &str| ApiError::from(FieldErrors::whole(sentence));
    let sent = match request.headers().get(HOST).map(|host| host.to_str()) {
        Some(Ok(host)) => Some(host),
        Some(Err(_)) => return Err(refused(NO_HOST)),
        None => None,
    };
    // A whole address in the request line has another host in it.
    let asked = request.uri().authority().map(|authority| authority.as_str());
    let read = |host| name(host).ok_or_else(|| refused(NO_HOST));
    let (sent, asked) = (sent.map(read).transpose()?, asked.map(read).transpose()?);
    let said = forwarded::host_by_proxy(request, config);
    let meant = said.as_deref().map(read).transpose()?.or(sent);
    let is_probe = PROBES.contains(&request.path().trim_end_matches('/'));
    for name in meant.into_iter().chain(asked) {
        if !is_served(&name, is_probe, config) {
            let host = if name.split('.').all(|label| label.len() <= LONGEST_LABEL) { &*name } else { "..." };
            tracing::info!(host, "refused a request for a host that is not served here");
            return Err(refused(FOREIGN));
        }
    }
    Ok(())
}

/// Refuses requests for other hosts, where nothing else stands before the handlers.
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
