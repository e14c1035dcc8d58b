//! `GET /messages/ws/`: the WebSocket handshake.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{
        Version,
        header::{self, ORIGIN},
    },
    web::{Data, Payload},
};

use super::{
    delivery_filter::DeliveryFilter,
    frame_decoder,
    heartbeat::Heartbeat,
    outgoing::Outgoing,
    session::{Opener, Session},
};
use crate::{
    core::model::{Credential, Refusal},
    error::ApiError,
    feed::{self, Only},
    hub::{ConnectionAbort, Subscriber, subscriber},
    middleware::authenticate::{Authenticated, subprotocol},
    net::forwarded,
    state::AppState,
};

/// `Retry-After` for a user with too many sockets, in seconds.
const RETRY_AFTER_SECONDS: u64 = 5;

/// Opens a socket for an authenticated caller.
pub async fn upgrade(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    stream: Payload,
) -> Result<HttpResponse, actix_web::Error> {
    check_handshake(&request)?;
    let rides_on_cookie = matches!(caller.credential, Credential::Session(_));
    let lacks_origin = !request.headers().contains_key(ORIGIN);
    if rides_on_cookie && lacks_origin && !state.config.sockets_without_origin {
        return Err(ApiError::CrossSite("a socket needs an Origin.").into());
    }
    if state.is_draining() {
        return Err(ApiError::from(Refusal::Busy).into());
    }
    let place = state.hub.reserve(caller.id()).ok_or(ApiError::Throttled { seconds: RETRY_AFTER_SECONDS })?;
    let abort = request.extensions().get::<ConnectionAbort>().cloned();
    let params = params(&request);
    let (user, is_guest) = (caller.id(), caller.card.is_guest);
    let socket = Subscriber::new(
        subscriber::ClientInfo { user, is_guest, knows_threads: params.knows_threads },
        caller.credential.clone(),
        abort,
        state.chat_meter(),
        state.hub.watchlist.clone(),
    );
    let (filter, heartbeat) = (DeliveryFilter::new(params.only), Heartbeat::new());
    let protocol = subprotocol(&request, &state).map(|protocol| protocol.offered());
    let protocols: Vec<&str> = protocol.iter().map(String::as_str).collect();
    let session = |frames| {
        Session::new(
            state.clone(),
            Opener {
                caller: caller.0.clone(),
                from: forwarded::client_address(&request, &state.config),
                place,
            },
            socket.clone(),
            filter.clone(),
            params.resumes,
            frames,
            heartbeat.clone(),
        )
    };
    let outgoing = |body| {
        Outgoing::new(body, socket.clone(), filter.clone(), heartbeat.clone(), state.identities.clone())
    };
    frame_decoder::open(&request, stream, &protocols, session, outgoing)
}

/// The query parameters of a handshake.
#[derive(Default)]
struct SocketParams {
    /// The chats whose events the socket gets.
    only: Only,
    /// Whether live events are held back until the client sends `resume`.
    resumes: bool,
    /// Whether replies that are only in threads are sent.
    knows_threads: bool,
}

/// Parses `?chats=1,2`, `?resume=1` and `?threads=1`. Malformed ids are ignored, like ids of chats that the user is not in.
fn params(request: &HttpRequest) -> SocketParams {
    let mut params = SocketParams::default();
    for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
        match &*name {
            "chats" => params.only = feed::only(&value),
            "resume" => params.resumes = value == "1",
            "threads" => params.knows_threads = value == "1",
            _ => {}
        }
    }
    params
}

/// Checks for a WebSocket handshake of version 13 over HTTP/1.1; anything else gets 426.
fn check_handshake(request: &HttpRequest) -> Result<(), ApiError> {
    let has = |name: header::HeaderName, wanted: &str| {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted))
    };
    // With chunked encoding, the body would be parsed as frames, and frames would be sent chunked.
    let is_handshake = request.version() == Version::HTTP_11
        && !request.headers().contains_key(header::TRANSFER_ENCODING)
        && has(header::UPGRADE, "websocket")
        && has(header::CONNECTION, "upgrade")
        && has(header::SEC_WEBSOCKET_VERSION, "13")
        && request.headers().contains_key(header::SEC_WEBSOCKET_KEY);
    if is_handshake { Ok(()) } else { Err(ApiError::UpgradeRequired) }
}
