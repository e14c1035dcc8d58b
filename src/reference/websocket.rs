//! The document of sockets: an AsyncAPI description of what they are sent, and of what may be said over them.

use std::sync::LazyLock;

use actix_web::{HttpResponse, http::header::ContentType};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use super::{components::Components, examples};
use crate::{
    api::Answer,
    view::{Frame, MessageFrame, MessageView},
    ws::{Ack, CaughtUp, ClientFrame},
};

/// The document of sockets.
pub fn asyncapi() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
    &DOCUMENT
}

/// `GET /messages/api/schema/websocket/`, open to all.
pub async fn show() -> Answer {
    static TEXT: LazyLock<String> = LazyLock::new(|| asyncapi().to_string());
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(TEXT.as_str()))
}

const ABOUT: &str = "\
`GET /messages/ws/` with a WebSocket handshake opens a socket that carries all of the caller's chats. It takes a session's \
cookie, or a token as a header or as the subprotocol `greenroom.token.<key>`. All frames are text, one JSON object each, told \
apart by `type`. On one socket the `seq` of a chat only rises, and while the connection holds none is missed and none comes \
twice. After a break connect with `?resume=1` and send `resume`. The events of `GET /messages/api/events/` and of \
`POST /messages/api/sync/` are the same.";

/// Commands: fields with `!` where they are needed, what they are for, and an example.
const COMMANDS: [(&str, &str, &str, &str); 10] = [
    (
        "send_message",
        "chat_id! content! client_id",
        "Sends a message.",
        r#"{"chat_id": 1, "content": "Hello!", "client_id": "c-2"}"#,
    ),
    ("edit_message", "message_id! content!", "Edits a message.", r#"{"message_id": 9, "content": "Lunch?"}"#),
    ("delete_message", "message_id!", "Deletes a message.", r#"{"message_id": 9}"#),
    (
        "react",
        "message_id! emoji! action",
        "Reacts, or takes it back.",
        r#"{"message_id": 5, "emoji": "👍", "action": "add"}"#,
    ),
    (
        "mark_as_read",
        "chat_id! message_id",
        "Moves the read marker forward, up to the message or to the end.",
        r#"{"chat_id": 1, "message_id": 9}"#,
    ),
    ("typing", "chat_id! is_typing!", "Tells that one types.", r#"{"chat_id": 1, "is_typing": true}"#),
    ("watch", "chat_id!", "Follows a public room that one is not in.", r#"{"chat_id": 4}"#),
    ("unwatch", "chat_id!", "Ends that.", r#"{"chat_id": 4}"#),
    (
        "resume",
        "chats! more",
        "Tells how far one has heard. What was missed comes first, then the `ack`, then live events.",
        r#"{"chats": {"1": 41, "7": 12}}"#,
    ),
    ("ping", "", "Asks for `pong`.", "{}"),
];

fn document() -> Value {
    let mut components = Components::default();
    let mut messages = Map::new();
    components.of::<Frame>();
    components.of::<MessageFrame>();
    let (events, message_events) = (json!(Frame::schema()), json!(MessageFrame::schema()));
    let mut sent = Vec::new();
    for event in [&message_events, &events].into_iter().flat_map(variants) {
        let name = event["properties"]["type"]["enum"][0].as_str().unwrap_or_default().to_owned();
        let example = example(&name);
        sent.push(add(&mut messages, &mut components, &name, event, example));
    }
    let answers = answers(&mut components);
    for (name, answer, example) in answers {
        sent.push(add(&mut messages, &mut components, name, answer, example));
    }
    let mut taken = Vec::new();
    for (kind, fields, text, example) in COMMANDS {
        let command = command(&mut components, kind, fields, text);
        let mut example: Value = serde_json::from_str(example).unwrap_or_default();
        example = examples::with(json!({ "type": kind, "id": 1 }), example);
        taken.push(add(&mut messages, &mut components, &format!("command_{kind}"), command, example));
    }
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Greenroom: live events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT" },
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/messages/ws/",
                "messages": messages
                    .keys()
                    .map(|name| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") })))
                    .collect::<Map<_, _>>(),
                "bindings": { "ws": { "method": "GET", "query": query() } },
            },
        },
        "operations": {
            "tell": operation("send", "What the server sends.", &sent),
            "ask": operation("receive", "What may be said to the server.", &taken),
        },
        "components": { "messages": messages },
    });
    document["components"]["schemas"] = components.finish(&document);
    document
}

/// The events that a type stands for.
fn variants(schema: &Value) -> Vec<Value> {
    schema["oneOf"].as_array().cloned().unwrap_or_default()
}

/// Makes a message a component; returns a reference to it.
fn add(
    messages: &mut Map<String, Value>,
    components: &mut Components,
    name: &str,
    mut schema: Value,
    example: Value,
) -> Value {
    let summary = schema.as_object_mut().and_then(|schema| schema.remove("description"));
    let payload = components.add(name, schema);
    let message = json!({
        "name": name,
        "summary": summary.unwrap_or_default(),
        "payload": payload,
        "examples": [{ "payload": example }],
    });
    messages.insert(name.to_owned(), message);
    json!({ "$ref": format!("#/channels/socket/messages/{name}") })
}

fn operation(action: &str, summary: &str, messages: &[Value]) -> Value {
    json!({
        "action": action,
        "summary": summary,
        "channel": { "$ref": "#/channels/socket" },
        "messages": messages,
    })
}

fn query() -> Value {
    json!({
        "type": "object",
        "properties": {
            "chats": { "type": "string", "description": "Ids with commas between them: these chats only." },
            "resume": { "const": "1", "description": "Live events wait for `resume`, 5 seconds at most." },
        },
    })
}

/// What every frame has in which something is asked or answered.
fn addressed(kind: &str, text: &str, properties: &Value, required: &[Value]) -> Value {
    let mut whole = Map::new();
    whole.insert("type".to_owned(), json!({ "const": kind }));
    whole.insert("id".to_owned(), json!({ "description": "The command's own, any JSON value." }));
    whole.extend(properties.as_object().cloned().unwrap_or_default());
    let mut all_required = vec![json!("type")];
    all_required.extend_from_slice(required);
    json!({ "type": "object", "description": text, "properties": whole, "required": all_required })
}

fn command(components: &mut Components, kind: &str, fields: &str, text: &str) -> Value {
    let part = components.some_of::<ClientFrame>(fields);
    let required = part["required"].as_array().cloned().unwrap_or_default();
    addressed(kind, text, &part["properties"], &required)
}

/// What commands are answered with.
fn answers(components: &mut Components) -> Vec<(&'static str, Value, Value)> {
    components.of::<Ack>();
    components.of::<CaughtUp>();
    components.of::<MessageView>();
    let names = ["ack_message", "ack_reaction", "ack_read", "ack_watch", "ack"];
    let texts = [
        "A message was sent or edited.",
        "What was done with a reaction.",
        "How many messages of others are newly read.",
        "Where a watched room is.",
        "It is done.",
    ];
    let bodies = [
        json!({ "message": examples::message() }),
        json!({ "action": "added", "emoji": "👍", "message_id": 5 }),
        json!({ "marked_count": 1 }),
        json!({ "seq": 5 }),
        json!({}),
    ];
    let acks = variants(&json!(Ack::schema()));
    let required = |schema: &Value| schema["required"].as_array().cloned().unwrap_or_default();
    let mut answers: Vec<_> = names
        .into_iter()
        .zip(texts)
        .zip(bodies)
        .zip(&acks)
        .map(|(((name, text), body), ack)| {
            let schema = addressed("ack", text, &ack["properties"], &required(ack));
            (name, schema, examples::with(json!({ "type": "ack", "id": 1 }), body))
        })
        .collect();
    let caught_up = json!(CaughtUp::schema());
    let text = "Everything that was missed has been sent.";
    answers.push((
        "ack_resume",
        addressed("ack", text, &caught_up["properties"], &required(&caught_up)),
        json!({ "type": "ack", "id": 3, "heads": { "1": 44, "7": 12 }, "unread": { "1": 1 } }),
    ));
    let failed = json!({
        "status": { "type": "integer", "description": "As REST has it; so are the other fields." },
        "detail": { "type": "string" },
        "retry_after": { "type": "integer", "description": "Seconds." },
        "error": { "type": "string" },
        "details": {
            "type": "object",
            "additionalProperties": { "type": "array", "items": { "type": "string" } },
        },
    });
    let error = addressed("error", "It was not done.", &failed, &[json!("status")]);
    answers.push((
        "error",
        error,
        json!({ "type": "error", "id": 2, "status": 404, "detail": "Not found." }),
    ));
    let pong = addressed("pong", "The answer to `ping`.", &json!({}), &[]);
    answers.push(("pong", pong, json!({ "type": "pong", "id": 1 })));
    answers
}

/// An event as it may come.
fn example(kind: &str) -> Value {
    let message = examples::message;
    let fields = match kind {
        "new_message" | "message_updated" => json!({ "message": message() }),
        "message_deleted" => {
            json!({ "message_id": 5, "message": examples::tombstone(), "last_message": null })
        }
        "reaction_updated" => json!({ "message_id": 5, "reactions": message()["reactions"] }),
        "typing" => return json!({ "type": kind, "chat_id": 2, "user_id": 2, "is_typing": true }),
        "me_updated" => json!({ "me": examples::me(), "unread_count": 1 }),
        "read" => json!({ "user_id": 2, "last_read_message_id": 5 }),
        "members_changed" => {
            json!({ "added": [examples::member()], "removed": [], "changed": [], "member_count": 3 })
        }
        "chat_created" => json!({ "chat": examples::chat() }),
        "chat_updated" => json!({ "chat": examples::chat_for_all() }),
        "presence" => {
            let last_seen = "2026-11-23T08:14:07.120394Z";
            return json!({ "type": kind, "user_id": 2, "is_online": false, "last_seen": last_seen });
        }
        "user_updated" => return json!({ "type": kind, "user": examples::user() }),
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
