//! Commands of the WebSocket and their responses.

use serde_json::{Value, json};
use utoipa::PartialSchema;

use super::{components::Components, events::tagged, examples};
use crate::{
    view::MessageView,
    ws::{Ack, CaughtUp, ClientFrame},
};

/// Commands: type, fields (required ones with `!`), description and an example.
const COMMANDS: [(&str, &str, &str, &str); 13] = [
    (
        "send_message",
        "chat_id! content client_id reply_to mentions thread also_in_chat forward attachments custom",
        "Sends a message.",
        r#"{"chat_id": 1, "content": "Hello!", "client_id": "c-2"}"#,
    ),
    (
        "edit_message",
        "message_id! content mentions custom",
        "Edits a message, or changes its custom data.",
        r#"{"message_id": 9, "content": "Lunch?"}"#,
    ),
    ("delete_message", "message_id!", "Deletes a message.", r#"{"message_id": 9}"#),
    (
        "react",
        "message_id! emoji! action",
        "Adds or removes a reaction.",
        r#"{"message_id": 5, "emoji": "👍", "action": "add"}"#,
    ),
    (
        "mark_as_read",
        "chat_id! message_id",
        "Moves the read marker forward, up to the message or to the end.",
        r#"{"chat_id": 1, "message_id": 9}"#,
    ),
    (
        "typing",
        "chat_id! is_typing! thread",
        "Signals that the caller is typing.",
        r#"{"chat_id": 1, "is_typing": true}"#,
    ),
    (
        "open_thread",
        "root!",
        "Receives who is typing in a thread. At most 5 threads are open on a socket.",
        r#"{"root": 5}"#,
    ),
    ("close_thread", "root!", "Ends what `open_thread` began.", r#"{"root": 5}"#),
    ("watch", "chat_id!", "Subscribes to a public room without joining it.", r#"{"chat_id": 4}"#),
    ("unwatch", "chat_id!", "Ends the subscription of `watch`.", r#"{"chat_id": 4}"#),
    (
        "resume",
        "chats! more",
        "Resumes after a disconnect. Missed events are sent first, then the `ack`, then live events.",
        r#"{"chats": {"1": 41, "7": 12}}"#,
    ),
    (
        "refresh",
        "token!",
        "Replaces the JSON Web Token of the socket, before it ends.",
        r#"{"token": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI3In0.c2ln"}"#,
    ),
    ("ping", "", "Requests a `pong`.", "{}"),
];

/// Returns each command with its schema and an example.
pub(crate) fn commands(components: &mut Components) -> Vec<(&'static str, Value, Value)> {
    let described = |(kind, fields, text, example): (&'static str, &str, &str, &str)| {
        let part = components.some_of::<ClientFrame>(fields);
        let schema = addressed(kind, text, &part);
        let example: Value = serde_json::from_str(example).unwrap_or_default();
        (kind, schema, examples::with(json!({ "type": kind, "id": 1 }), example))
    };
    COMMANDS.into_iter().map(described).collect()
}

/// Returns the schema of a command or response: its own fields, a `type` and an `id`.
fn addressed(kind: &str, text: &str, own: &Value) -> Value {
    let id = json!({ "id": { "description": "The command's id, any JSON value." } });
    let properties = examples::with(id, own["properties"].clone());
    tagged(kind, &text.into(), &properties, &own["required"])
}

/// Returns each response: name, `type`, schema and an example. Acks with more fields precede those with
/// fewer.
pub(crate) fn answers(components: &mut Components) -> Vec<(&'static str, &'static str, Value, Value)> {
    components.of::<Ack>();
    components.of::<CaughtUp>();
    components.of::<MessageView>();
    let acks = json!(Ack::schema());
    let (caught_up, none) = (json!(CaughtUp::schema()), json!({}));
    let ack = |name, text: &str, own: &Value, example: Value| {
        (name, "ack", addressed("ack", text, own), examples::with(json!({ "type": "ack", "id": 1 }), example))
    };
    let acks = &acks["oneOf"];
    let reacted = json!({ "action": "added", "emoji": "👍", "message_id": 5 });
    let caught =
        json!({ "heads": { "1": 44, "7": 12 }, "unread": { "1": 1 }, "chat_mentions": {}, "threads": {} });
    let failed = json!({ "type": "error", "id": 2, "status": 404, "detail": "Not found." });
    vec![
        ack(
            "MessageAck",
            "A message was sent or edited.",
            &acks[0],
            json!({ "message": examples::message() }),
        ),
        ack("ReactionAck", "A reaction was added or removed.", &acks[1], reacted),
        ack(
            "ReadAck",
            "The number of newly read messages of others.",
            &acks[2],
            json!({ "marked_count": 1 }),
        ),
        ack("WatchAck", "The latest `seq` of a watched room.", &acks[3], json!({ "seq": 5 })),
        ack("ResumeAck", "All missed events have been sent.", &caught_up, caught),
        ack("Ack", "The command succeeded.", &acks[4], none),
        ("ErrorAnswer", "error", addressed("error", "The command failed.", &error()), failed),
        (
            "Pong",
            "pong",
            addressed("pong", "The answer to `ping`.", &json!({})),
            json!({ "type": "pong", "id": 1 }),
        ),
    ]
}

fn error() -> Value {
    let sentences = json!({ "type": "array", "items": { "type": "string" } });
    json!({
        "required": ["status"],
        "properties": {
            "status": { "type": "integer", "format": "int32", "description": "The status of the REST error. The other fields are its body." },
            "detail": { "type": "string" },
            "retry_after": { "type": "integer", "format": "int64", "description": "Seconds." },
            "error": { "type": "string" },
            "details": { "type": "object", "additionalProperties": sentences },
        },
    })
}
