//! Operations for live events: WebSocket, server-sent events and polling.

use serde_json::{Value, json};

use super::{builder::Reference, components::reference as reference_to, events, examples, operation::text};
use crate::api::sync::{SinceFields, SinceView, StartView};

const TAG: &str = "Live events";
const CHATS: &str = "Comma-separated ids: only these chats.";
const THREADS: &str = "Replies that are only in threads are sent. Without it, their root is sent instead.";

pub(crate) fn describe(reference: &mut Reference) {
    events::add(&mut reference.components);
    reference
        .api(TAG, "sync/")
        .get("startSync", "Data of the first screen", |operation| {
            let start = json!({
                "chats": [examples::chat()],
                "heads": { "1": 4, "2": 6 },
                "unread": { "1": 1, "2": 2 },
                "chat_mentions": {},
                "threads": {},
                "users_online": [3],
                "last_seen": { "2": "2026-11-23T08:02:00.634989Z" },
            });
            operation.answers::<StartView>(200, "The state at one moment, or shortly before it.", start)
        })
        .post("sync", "Changes since then", |operation| {
            let event =
                json!({ "type": "new_message", "chat_id": 2, "seq": 6, "message": examples::message() });
            let gone = json!({ "type": "chat_deleted", "chat_id": 8 });
            operation
                .description("The events that a resumed socket would receive. The body may be up to 1 MiB.")
                .takes::<SinceFields>(
                    json!({ "chats": { "1": 4, "2": 5, "8": 3 }, "wait": 25, "threads": true }),
                )
                .answers::<SinceView>(
                    200,
                    "The missed events, or the next events as soon as there are any.",
                    json!({
                            "events": [gone, event],
                            "heads": { "1": 4, "2": 6 },
                            "unread": { "1": 1, "2": 2 },
                            "chat_mentions": {},
                    "threads": {},
                            "removed": [8],
                        }),
                )
        });
    reference.api(TAG, "events/").get("streamEvents", "Server-sent events", |operation| {
        operation
            .description(
                "`hello`, then events as over a socket. The schema is that of one event: the JSON object in its `data:`. \
                 Durable events have an `id:`; a client that reconnects with it receives the missed events first.",
            )
            .query("chats", text(), CHATS)
            .query("threads", json!({ "type": "string", "const": "1" }), THREADS)
            .header("Last-Event-ID", "The `id:` of the last event received.")
            .answers_with("The stream, which does not end by itself.", "text/event-stream", reference_to("Event"), Value::Null)
    });
    reference.signed_in(TAG, "/messages/ws/").get("openWebSocket", "A socket", |operation| {
        operation
            .description(
                "A WebSocket that carries all of the caller's chats. Its events and commands are described at \
                 `/messages/api/schema/websocket/`.",
            )
            .query("chats", text(), CHATS)
            .query("threads", json!({ "type": "string", "const": "1" }), THREADS)
            .query("resume", json!({ "type": "string", "const": "1" }), "Live events are held back until the client sends `resume`.")
            .answers_nothing(101, "The socket is open.")
            .errors(&[403, 426, 429])
    });
}
