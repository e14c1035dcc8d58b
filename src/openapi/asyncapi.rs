//! AsyncAPI document of the WebSocket: the events that the server sends, and the commands that clients send.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType, web::Data};
use serde_json::{Map, Value, json};
use url::Url;

use super::{SESSION, TOKEN, commands, components::Components, events, examples};
use crate::{api::HandlerResult, net::forwarded, state::AppState};

/// Returns the AsyncAPI document, with localhost as the server.
pub fn asyncapi() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
    &DOCUMENT
}

/// `GET /messages/api/schema/websocket/`, without authentication: the document, with the requested host as
/// the server.
pub async fn show(state: Data<AppState>, request: HttpRequest) -> HandlerResult {
    let mut document = asyncapi().clone();
    if let Ok(base) = Url::parse(&forwarded::base_url(&request, &state.config)) {
        document["servers"]["greenroom"] = server(&base);
    }
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(document.to_string()))
}

const ABOUT: &str = "\
`GET /messages/ws/` with a WebSocket handshake opens a socket that carries all of the caller's chats. It authenticates \
with a session's cookie, or with a token in a header or in the subprotocol `greenroom.token.<key>` or \
`greenroom.jwt.<JWT>`. All frames are text, one JSON object each. `type` names its kind. The channels are the two directions of one socket. On one socket \
the `seq` of a chat never falls; two events of one change have the same. While the connection lasts, every event is delivered exactly once. After a disconnect, \
connect with `?resume=1` and send `resume`. `GET /messages/api/events/` and `POST /messages/api/sync/` have the same \
events.";

const SUBPROTOCOL: &str = "\
The subprotocol `greenroom.token.<key>`, or `greenroom.jwt.<JWT>` with a JSON Web Token, for browsers, which cannot send `Authorization` with a handshake. The server \
confirms it.";

/// Messages under construction, with their components.
#[derive(Default)]
struct Messages {
    components: Components,
    all: Map<String, Value>,
}

impl Messages {
    /// Adds a message as a component. Returns its name.
    fn add(&mut self, name: &str, kind: &str, summary: &Value, payload: &Value, example: Value) -> String {
        let mut message = json!({
            "name": name,
            "title": kind,
            "summary": summary,
            "contentType": "application/json",
            "payload": payload,
            "examples": [{ "name": kind, "payload": example }],
        });
        if !name.ends_with("Event") {
            message["correlationId"] =
                json!({ "description": "The command's own `id`.", "location": "$message.payload#/id" });
        }
        self.all.insert(name.to_owned(), message);
        name.to_owned()
    }
}

fn document() -> Value {
    let mut messages = Messages::default();
    let mut sent = Vec::new();
    for event in events::add(&mut messages.components) {
        let example = example(&event.kind);
        sent.push(messages.add(&event.name, &event.kind, &event.summary, &event.schema, example));
    }
    let mut answers = Vec::new();
    for (name, kind, schema, example) in commands::answers(&mut messages.components) {
        let summary = schema["description"].clone();
        let payload = messages.components.add(name, schema);
        answers.push(messages.add(name, kind, &summary, &payload, example));
    }
    let mut taken = Vec::new();
    for (kind, schema, example) in commands::commands(&mut messages.components) {
        let (name, summary) = (format!("{}Command", events::pascal(kind)), schema["description"].clone());
        let payload = messages.components.add(&name, schema);
        taken.push(messages.add(&name, kind, &summary, &payload, example));
    }
    let base = Url::parse("http://localhost:8000").expect("it is an address");
    let mut document = json!({
        "asyncapi": "3.0.0",
        "id": "urn:greenroom:socket",
        "info": {
            "title": "Greenroom: live events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT", "url": "https://spdx.org/licenses/MIT.html" },
        },
        "defaultContentType": "application/json",
        "servers": { "greenroom": server(&base) },
        "channels": {
            "events": channel("Events that the server pushes.", &sent),
            "commands": channel("Commands of a client.", &taken),
            "answers": channel("Responses of the server, each with the `id` of its command.", &answers),
        },
        "operations": {
            "sendEvent": operation("send", "The server sends an event.", "events", &sent),
            "receiveCommand": operation("receive", "A client sends a command and gets a response.", "commands", &taken),
        },
        "components": {
            "messages": messages.all,
            "securitySchemes": {
                "session": { "type": "httpApiKey", "in": "cookie", "name": "sessionid", "description": SESSION },
                "token": { "type": "httpApiKey", "in": "header", "name": "Authorization", "description": TOKEN },
                "subprotocol": {
                    "type": "httpApiKey",
                    "in": "header",
                    "name": "Sec-WebSocket-Protocol",
                    "description": SUBPROTOCOL,
                },
            },
        },
    });
    document["operations"]["receiveCommand"]["reply"] = json!({
        "channel": { "$ref": "#/channels/answers" },
        "messages": references("answers", &answers),
    });
    document["components"]["schemas"] = messages.components.finish(&document);
    document
}

/// Describes the server at a base URL.
fn server(base: &Url) -> Value {
    let host = base.host_str().unwrap_or("localhost");
    let host = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let security = ["session", "token", "subprotocol"]
        .map(|name| json!({ "$ref": format!("#/components/securitySchemes/{name}") }));
    let mut server = json!({
        "host": host,
        "protocol": if base.scheme() == "https" { "wss" } else { "ws" },
        "protocolVersion": "13",
        "description": "This server. One of these schemes authenticates the caller.",
        "security": security,
    });
    let path = base.path().trim_end_matches('/');
    if !path.is_empty() {
        server["pathname"] = path.into();
    }
    server
}

fn channel(description: &str, names: &[String]) -> Value {
    let message = |name: &String| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") }));
    json!({
        "address": "/messages/ws/",
        "description": description,
        "servers": [{ "$ref": "#/servers/greenroom" }],
        "messages": names.iter().map(message).collect::<Map<_, _>>(),
        "bindings": { "ws": { "method": "GET", "query": query(), "bindingVersion": "0.1.0" } },
    })
}

fn operation(action: &str, summary: &str, channel: &str, names: &[String]) -> Value {
    json!({
        "action": action,
        "summary": summary,
        "channel": { "$ref": format!("#/channels/{channel}") },
        "messages": references(channel, names),
    })
}

fn references(channel: &str, names: &[String]) -> Vec<Value> {
    names.iter().map(|name| json!({ "$ref": format!("#/channels/{channel}/messages/{name}") })).collect()
}

fn query() -> Value {
    json!({
        "type": "object",
        "properties": {
            "chats": { "type": "string", "description": "Comma-separated ids: only these chats." },
            "threads": {
                "type": "string",
                "const": "1",
                "description": "Replies that are only in threads are sent. Without it, their root is sent instead.",
            },
            "resume": {
                "type": "string",
                "const": "1",
                "description": "Delays live events until `resume`, which must follow within 5 seconds.",
            },
        },
    })
}

/// Returns an example of an event.
fn example(kind: &str) -> Value {
    let message = examples::message;
    let fields = match kind {
        "new_message" | "message_updated" => json!({ "message": message() }),
        "message_deleted" => {
            json!({ "message_id": 5, "message": examples::tombstone(), "last_message": null })
        }
        "reaction_updated" => json!({ "message_id": 5, "reactions": message()["reactions"] }),
        "pins_changed" => json!({ "added": [message()], "removed": [], "count": 1 }),
        "typing" => return json!({ "type": kind, "chat_id": 2, "user_id": 2, "is_typing": true }),
        "me_updated" => json!({ "me": examples::me(), "unread_count": 1, "unread_mentions": 0 }),
        "thread_followed" | "thread_read" => json!({
            "root": 5, "is_followed": true, "unread": 1, "mentions": 0, "last_read_message_id": null,
        }),
        "mentions_changed" => json!({ "message_id": 5, "is_mentioned": true, "unread_mentions": 1 }),
        "read" => json!({ "user_id": 2, "last_read_message_id": 5 }),
        "members_changed" => {
            json!({ "added": [examples::member()], "removed": [], "changed": [], "member_count": 3 })
        }
        "chat_created" => json!({ "chat": examples::chat() }),
        "chat_updated" => json!({ "chat": examples::chat_for_all() }),
        "user_merged" => json!({ "from": 6, "user": examples::user() }),
        "presence" => {
            let last_seen = "2026-11-23T08:14:07.120394Z";
            return json!({ "type": kind, "user_id": 2, "is_online": false, "last_seen": last_seen });
        }
        "draft_changed" => {
            let draft = examples::draft();
            return json!({ "type": kind, "chat_id": 2, "thread": null, "draft": draft });
        }
        "token_expiring" => return json!({ "type": kind, "seconds": 60 }),
        "user_updated" => return json!({ "type": kind, "user": examples::profile() }),
        "hello" => {
            return json!({
                "type": kind,
                "user_id": 2,
                "server_version": env!("CARGO_PKG_VERSION"),
                "heartbeat_seconds": 25,
                "chats": { "1": 4, "2": 6 },
                "users_online": [1],
            });
        }
        _ => json!({}),
    };
    examples::with(json!({ "type": kind, "chat_id": 2, "seq": 6 }), fields)
}
