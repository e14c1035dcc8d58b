//! API descriptions: an OpenAPI document of all routes, and an AsyncAPI document of WebSocket events and
//! commands. Schemas are derived from the types of the responses. The test suite validates every response
//! against them.

mod accounts;
mod asyncapi;
mod builder;
mod chats;
mod commands;
mod components;
mod drafts;
mod errors;
mod events;
mod examples;
mod feed;
mod files;
mod index;
mod members;
mod messages;
mod operation;
mod rooms;
mod server;
mod threads;
mod users;

use builder::Reference;
use std::sync::LazyLock;

use actix_web::{HttpResponse, http::header::ContentType, web::Data};
use serde_json::{Value, json};

use crate::{api::HandlerResult, state::AppState};
pub use asyncapi::{asyncapi, show as show_websocket};
pub(crate) use index::index;

/// Returns the OpenAPI document.
pub fn openapi() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| Reference::default().document());
    &DOCUMENT
}

/// `GET /messages/api/schema/`, without authentication.
pub async fn show(state: Data<AppState>) -> HandlerResult {
    static TEXT: LazyLock<String> = LazyLock::new(|| openapi().to_string());
    let mut answer = HttpResponse::Ok();
    answer.content_type(ContentType::json());
    let cookie = &openapi()["components"]["securitySchemes"]["session"]["name"];
    if *cookie == *state.config.cookie_name {
        return Ok(answer.body(TEXT.as_str()));
    }
    let mut document = openapi().clone();
    document["components"]["securitySchemes"]["session"]["name"] = json!(state.config.cookie_name);
    Ok(answer.body(document.to_string()))
}

/// Tags with their descriptions, in display order.
const TAGS: [(&str, &str); 13] = [
    ("Authentication", "Sessions for browsers, and registration if it is open."),
    ("Chats", "Direct messages, groups and rooms."),
    ("Rooms", "Public rooms, and rooms of a host's objects."),
    ("Messages", "Reading, searching, sending, editing and deleting messages."),
    ("Attachments", "Files of messages: announced, sent as bytes, completed, and then sent with a message."),
    ("Threads", "Replies to a message, apart from the timeline, and messages that mention the caller."),
    ("Reactions", "An emoji is exactly one of Unicode's list for general interchange."),
    ("Activity", "Read markers, unread counts and typing."),
    ("Members", "Members of a chat. A dm's members do not change."),
    ("Users", "The caller and other users."),
    ("Administration", "For staff, such as a host that brings its own users. All others get 403."),
    ("Live events", "Events by socket, as server-sent events, and by polling."),
    ("Server", "The server itself, its pages, and their assets."),
];

const ABOUT: &str = "\
A chat server beside a product: direct messages, groups, rooms, edits and deletions, reactions, read receipts and \
unread counts, and live events.

Paths end in `/`. The same path without it is served the same, without a redirect. Every `GET` also answers `HEAD`. \
Bodies are JSON objects in UTF-8 of at most 64 KiB. Unknown fields and parameters are ignored. Times are RFC 3339 in \
UTC. Every answer has an `X-Request-Id`, which the server logs with each error. An unsupported method gets 405 with \
`Allow`. `/messages/api/schema/websocket/` describes live events and the commands of sockets.";

const SESSION: &str = "\
`POST /login/` sets it. A cross-site request that uses it and changes something, or opens a socket, is refused with \
403: `CSRF Failed`. Cross-site requests are detected by `Sec-Fetch-Site`, and by an `Origin` other than this host, \
`GREENROOM_PUBLIC_URL` and `GREENROOM_ALLOWED_ORIGINS`. If a request has a token, the cookie is ignored.";

const TOKEN: &str = "\
`Token <key>`, with a key from `greenroom token create NAME` or from staff. Requests with one are exempt from the \
cross-site check. In the handshake of a socket it may be the subprotocol `greenroom.token.<key>`.";

const JWT: &str = "\
A JSON Web Token of the host's identity provider, where `GREENROOM_JWKS_URL`, `GREENROOM_JWT_KEYS` or \
`GREENROOM_JWT_SECRET` is set; ignored elsewhere. The first token of a subject creates the user. Requests with one are \
exempt from the cross-site check. In the handshake of a socket it may be the subprotocol `greenroom.jwt.<JWT>`.";

impl Reference {
    fn document(mut self) -> Value {
        accounts::describe(&mut self);
        chats::describe(&mut self);
        rooms::describe(&mut self);
        messages::describe(&mut self);
        threads::describe(&mut self);
        drafts::describe(&mut self);
        members::describe(&mut self);
        users::describe(&mut self);
        feed::describe(&mut self);
        files::describe(&mut self);
        server::describe(&mut self);
        let responses = errors::responses(&mut self.components);
        let request_id = json!({ "description": "Identifies the request in the server's log.", "schema": { "type": "string" } });
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Greenroom",
                "version": env!("CARGO_PKG_VERSION"),
                "description": ABOUT,
                "license": { "name": "MIT", "identifier": "MIT" },
            },
            "servers": [{ "url": "/" }],
            "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
            "paths": self.paths,
            "components": {
                "securitySchemes": {
                    "session": { "type": "apiKey", "in": "cookie", "name": "sessionid", "description": SESSION },
                    "token": { "type": "apiKey", "in": "header", "name": "Authorization", "description": TOKEN },
                    "jwt": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": JWT },
                },
                "headers": { "X-Request-Id": request_id },
                "responses": responses,
            },
        });
        document["components"]["schemas"] = self.components.finish(&document);
        document
    }
}
