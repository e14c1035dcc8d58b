//! What the API is described by: an OpenAPI document of all addresses, and one of the events and commands of sockets.
//! Schemas are derived from the types that answers are made of; the suite holds every answer against them.

mod accounts;
mod asyncapi;
mod builder;
mod chats;
mod commands;
mod components;
mod errors;
mod events;
mod examples;
mod feed;
mod index;
mod members;
mod messages;
mod operation;
mod rooms;
mod server;
mod users;

use builder::Reference;
use std::sync::LazyLock;

use actix_web::{HttpResponse, http::header::ContentType, web::Data};
use serde_json::{Value, json};

use crate::{api::Answer, state::State};
pub use asyncapi::{asyncapi, show as show_websocket};
pub(crate) use index::index;

/// The document of all addresses.
pub fn openapi() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| Reference::default().document());
    &DOCUMENT
}

/// `GET /messages/api/schema/`, open to all.
pub async fn show(state: Data<State>) -> Answer {
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

/// What groups of operations are for, in the order in which they are shown.
const TAGS: [(&str, &str); 11] = [
    ("Authentication", "Sessions for browsers, and accounts where the server is open to new ones."),
    ("Chats", "Direct messages, groups and rooms."),
    ("Rooms", "Public rooms, and those of a host's own objects."),
    ("Messages", "Reading, sending, editing and deleting them."),
    ("Reactions", "An emoji is exactly one of Unicode's list for general interchange."),
    ("Activity", "Read markers, unread counts, and who types."),
    ("Members", "Who is in a chat. A dm's members do not change."),
    ("Users", "Oneself and others."),
    ("Administration", "For a host that brings its own users. Everybody else gets 403."),
    ("Live events", "What happens, as it happens: by socket, as server-sent events, and by polling."),
    ("Server", "The server itself, its pages, and what they are made of."),
];

const ABOUT: &str = "\
A chat server beside a product: direct messages, groups, rooms, edits and deletions, reactions, read receipts and unread \
counts, and live events.

Paths end in `/`; the same path without it is served the same, without a redirect. What can be got answers `HEAD` too. \
Bodies are JSON objects in UTF-8 of at most 64 KiB; unknown fields and parameters are ignored. Times are RFC 3339 in UTC. \
Every answer has an `X-Request-Id`, which the server's log names with each fault. A method that a path does not have is \
answered with 405 and `Allow`. Live events and the commands of sockets are described at `/messages/api/schema/websocket/`.";

const SESSION: &str = "\
`POST /login/` sets it. A request that rides on it, changes something or opens a socket, and was caused by another site's \
page (by `Sec-Fetch-Site`, or by an `Origin` that is not this host's, `GREENROOM_PUBLIC_URL` or one of \
`GREENROOM_ALLOWED_ORIGINS`) is refused with 403: `CSRF Failed`. Where there is a token the cookie is not looked at.";

const TOKEN: &str = "\
`Token <key>`, with a key from `greenroom token create NAME` or from staff. Requests with one are exempt from the rule for \
other sites. On the handshake of a socket it may come as the subprotocol `greenroom.token.<key>`.";

impl Reference {
    fn document(mut self) -> Value {
        accounts::describe(&mut self);
        chats::describe(&mut self);
        rooms::describe(&mut self);
        messages::describe(&mut self);
        members::describe(&mut self);
        users::describe(&mut self);
        feed::describe(&mut self);
        server::describe(&mut self);
        let responses = errors::responses(&mut self.components);
        let request_id = json!({ "description": "Names the request in the server's log.", "schema": { "type": "string" } });
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
                },
                "headers": { "X-Request-Id": request_id },
                "responses": responses,
            },
        });
        document["components"]["schemas"] = self.components.finish(&document);
        document
    }
}
