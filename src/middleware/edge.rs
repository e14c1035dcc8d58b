//! The outermost layer: what every request gets, whatever becomes of it. A request id, safe headers, JSON errors,
//! and the answers to other sites' browsers.

use std::{
    fmt::{self, Display, Formatter},
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        ConnectionType, Method, StatusCode, Uri, Version,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use futures_util::FutureExt;

use super::csrf;
use crate::{
    auth::{Caller, audit, neighbourhood},
    config::Hsts,
    core::{model::Refusal, secrets},
    error::ApiError,
    net::{forwarded, served_hosts},
    state::State,
    storage::Asker,
    telemetry::{Meters, http::Route},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of every answer that does not set its own.
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

/// Wraps everything.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<Data<State>>().cloned() else {
        return Err(ApiError::NOT_FOUND.into());
    };
    let common = CommonHeaders::of(&request, &state);
    let line = Line(request.method().clone(), request.uri().clone());
    let from = forwarded::client_address(request.request(), &state.config);
    let watch = state.meters.clone().map(|meters| Watch::begin(meters, request.method()));

    if let Err(error) = served_hosts::check(request.request(), &state.config) {
        let mut response = error.error_response();
        common.add_to(response.headers_mut());
        let response = request.into_response(response);
        watch.inspect(|watch| watch.count(&response));
        return Ok(response);
    }
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if is_preflight && common.allowed_origin.is_some() {
        let mut response = HttpResponse::NoContent().finish();
        common.add_to(response.headers_mut());
        answer_preflight(response.headers_mut());
        let response = request.into_response(response);
        watch.inspect(|watch| watch.count(&response));
        return Ok(response);
    }

    let asker = Asker::Address(neighbourhood(from));
    match AssertUnwindSafe(asker.asks(next.call(request))).catch_unwind().await {
        Ok(Ok(response)) => {
            let mut response = in_json(response.map_into_boxed_body());
            if response.request().version() < Version::HTTP_11 {
                end_with_connection(&mut response);
            }
            let caller = response.request().extensions().get::<Arc<Caller>>().cloned();
            log(&state, &line, response.status(), &common.id, caller.as_deref(), from);
            watch.inspect(|watch| watch.count(&response));
            common.add_to(response.headers_mut());
            Ok(response)
        }
        // Only the session's layer and panics come this way; the request is gone, so the answer travels as an error.
        Ok(Err(error)) => {
            let error = as_api_error(&error);
            watch.inspect(|watch| watch.count_lost(error.status_code()));
            Err(travelling(&state, error, &line, &common, from))
        }
        Err(_) => {
            let error = ApiError::from(Refusal::Internal);
            watch.inspect(|watch| watch.count_lost(error.status_code()));
            Err(travelling(&state, error, &line, &common, from))
        }
    }
}

/// A request that is counted when it is answered.
struct Watch {
    meters: Arc<Meters>,
    method: Method,
    begun: Instant,
}

/// Stands for addresses that are none of ours.
const NO_ROUTE: &str = "other";

impl Watch {
    fn begin(meters: Arc<Meters>, method: &Method) -> Self {
        Self { meters, method: method.clone(), begun: Instant::now() }
    }

    fn count(&self, response: &ServiceResponse<BoxBody>) {
        let (request, status, took) = (response.request(), response.status(), self.begun.elapsed());
        let http = &self.meters.http;
        let pattern = || request.match_pattern().unwrap_or_else(|| NO_ROUTE.to_owned());
        match request.app_data::<Route>() {
            Some(route) => route.count(http, pattern, &self.method, status, took),
            // It was turned away at the door, or is for an address that is none.
            None => http.count_other(&pattern(), &self.method, status, took),
        }
    }

    /// Counts a request of which nothing is left to tell where it went.
    fn count_lost(&self, status: StatusCode) {
        self.meters.http.count_other(NO_ROUTE, &self.method, status, self.begun.elapsed());
    }
}

fn travelling(state: &State, error: ApiError, line: &Line, common: &CommonHeaders, from: IpAddr) -> Error {
    let mut response = error.error_response();
    log(state, line, response.status(), &common.id, None, from);
    common.add_to(response.headers_mut());
    InternalError::from_response(error, response).into()
}

/// An error that came up as one. Those that are not ours are the session layer's, when its rows cannot be had.
fn as_api_error(error: &Error) -> ApiError {
    error.as_error::<ApiError>().cloned().unwrap_or(ApiError::Refused(Refusal::StorageAway))
}

/// An error in another form than JSON, which is never ours, in the form that clients expect.
fn in_json(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
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

/// A stream to a client that knows no chunks goes on until the connection ends.
fn end_with_connection(response: &mut ServiceResponse<BoxBody>) {
    if response.response().body().size() == BodySize::Stream {
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
}

/// What the log says of a request. Most are not logged, so it is written only then.
struct Line(Method, Uri);

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", plain_method(&self.0), plain(self.1.path()))
    }
}

/// A method as it may stand in the log, since it may be any text.
fn plain_method(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if known.contains(method) { method.as_str() } else { "..." }
}

/// A path as it may stand in the log: words and numbers, and nothing in which a secret may stand.
fn plain(path: &str) -> String {
    let is_word = |part: &str| {
        part.len() <= LONGEST_WORD
            && (part.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'-' | b'_'))
                || part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let parts = path.split('/').map(|part| if is_word(part) { part } else { "..." });
    parts.collect::<Vec<_>>().join("/")
}

/// Longest word of an address; keys are longer.
const LONGEST_WORD: usize = 20;

/// Logs what came of a request. One that was refused is for those who look for attacks.
fn log(
    state: &State,
    line: &Line,
    status: StatusCode,
    id: &HeaderValue,
    caller: Option<&Caller>,
    from: IpAddr,
) {
    let (status, request_id) = (status.as_u16(), id.to_str().unwrap_or_default());
    // Turning away who comes while the server stops is no fault.
    let is_fault = status >= 500 && !(status == 503 && state.is_draining());
    if is_fault {
        tracing::error!(request_id, status, "{line}");
    } else if status == 401 {
        tracing::info!(request_id, status, %from, "{line}");
    } else if status == 403 {
        let user = caller.map(|caller| &*caller.card.username);
        let user_id = caller.map(|caller| caller.id().0);
        tracing::info!(target: audit::TARGET, user, user_id, %from, request_id, status, "refused: {line}");
    } else {
        tracing::debug!(request_id, status, "{line}");
    }
}

/// The headers that an answer gets, whatever it is.
struct CommonHeaders {
    /// The request's id.
    id: HeaderValue,
    is_https: bool,
    hsts: Hsts,
    /// The request's origin, where it is another site's that may use this server.
    allowed_origin: Option<HeaderValue>,
}

impl CommonHeaders {
    fn of(request: &ServiceRequest, state: &State) -> Self {
        Self {
            id: next_request_id(),
            is_https: state.config.is_https() || forwarded::is_https(request.request(), &state.config),
            hsts: state.config.hsts,
            allowed_origin: allowed_origin(request, state),
        }
    }

    fn add_to(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.id.clone());
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
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("Retry-After, X-Request-Id, ETag, Date"),
            );
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// Cookies that were given over HTTPS go back over nothing else.
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

fn allowed_origin(request: &ServiceRequest, state: &State) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    csrf::is_allowed(origin.to_str().ok()?, &state.config).then(|| origin.clone())
}

fn answer_preflight(headers: &mut HeaderMap) {
    let answers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, Last-Event-ID"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    for (name, value) in answers {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// An id that no other request of any server is likely to have.
fn next_request_id() -> HeaderValue {
    static PROCESS: LazyLock<String> = LazyLock::new(|| secrets::hex(&secrets::random::<6>()));
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    HeaderValue::try_from(format!("{}-{number:x}", *PROCESS)).unwrap_or(HeaderValue::from_static("-"))
}
