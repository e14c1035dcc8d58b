//! `GET /messages/ws/`: from a request to a socket.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{
        Version,
        header::{self, ORIGIN},
    },
    web::{Data, Payload},
};

use super::{
    delivery_filter::Ears,
    frame_decoder,
    outgoing::Outflow,
    session::{Opener, Session},
};
use crate::{
    core::model::{Credential, Refusal},
    error::ApiError,
    feed::{self, Only},
    hub::{Socket, Wire},
    middleware::authenticate::{Authenticated, TOKEN_SUBPROTOCOL, subprotocol_token},
    net::forwarded,
    state::State,
};

/// When a user with too many sockets may try again, in seconds.
const RETRY: u64 = 5;

/// Opens a socket for the caller, whom the gate has let in.
pub async fn upgrade(
    state: Data<State>,
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
    let place = state.registry.reserve(caller.id()).ok_or(ApiError::Throttled { seconds: RETRY })?;
    let wire = request.extensions().get::<Wire>().cloned();
    let socket = Socket::new(caller.id(), caller.credential.clone(), wire, state.chat_meter());
    let wishes = wishes(&request);
    let ears = Ears::new(wishes.only);
    let protocol = subprotocol_token(&request).map(|key| format!("{TOKEN_SUBPROTOCOL}{key}"));
    let protocols: Vec<&str> = protocol.iter().map(String::as_str).collect();
    let session = |frames| {
        Session::new(
            state.clone(),
            Opener { caller: caller.0.clone(), from: forwarded::client_address(&request, &state.config) },
            place,
            socket.clone(),
            ears.clone(),
            wishes.resumes,
            frames,
        )
    };
    let outflow = |said| Outflow::new(said, socket.clone(), ears.clone(), state.identities.clone());
    frame_decoder::open(&request, stream, &protocols, session, outflow)
}

/// How a client wants its socket.
#[derive(Default)]
struct Wishes {
    /// The chats that it is to carry.
    only: Only,
    /// Whether live events wait for a `resume`.
    resumes: bool,
}

/// `?chats=1,2` and `?resume=1`. Ids that are none are ignored, like those of chats that one is not in.
fn wishes(request: &HttpRequest) -> Wishes {
    let mut wishes = Wishes::default();
    for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
        match &*name {
            "chats" => wishes.only = feed::only(&value),
            "resume" => wishes.resumes = value == "1",
            _ => {}
        }
    }
    wishes
}

/// A handshake of the one version that there is, else 426.
fn check_handshake(request: &HttpRequest) -> Result<(), ApiError> {
    let has = |name: header::HeaderName, wanted: &str| {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted))
    };
    // A body in chunks would be taken for frames, and they would be sent in chunks.
    let is_handshake = request.version() == Version::HTTP_11
        && !request.headers().contains_key(header::TRANSFER_ENCODING)
        && has(header::UPGRADE, "websocket")
        && has(header::CONNECTION, "upgrade")
        && has(header::SEC_WEBSOCKET_VERSION, "13")
        && request.headers().contains_key(header::SEC_WEBSOCKET_KEY);
    if is_handshake { Ok(()) } else { Err(ApiError::UpgradeRequired) }
}
