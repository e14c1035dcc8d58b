//! What happens: by socket, as server-sent events, and by polling.

use serde_json::{Value, json};

use super::{builder::Reference, components::reference as reference_to, events, examples, operation::text};
use crate::api::sync::{SinceFields, SinceView, StartView};

const TAG: &str = "Live events";
const CHATS: &str = "Ids with commas between them: these chats only.";

pub(crate) fn describe(reference: &mut Reference) {
    events::add(&mut reference.components);
    reference
        .api(TAG, "sync/")
        .get("startSync", "All for a first screen", |operation| {
            let start = json!({
                "chats": [examples::chat()],
                "heads": { "1": 4, "2": 6 },
                "unread": { "1": 1, "2": 2 },
                "users_online": [3],
                "last_seen": { "2": "2026-11-23T08:02:00.634989Z" },
            });
            operation.answers::<StartView>(200, "As of one moment, or of a little before it.", start)
        })
        .post("sync", "What changed since", |operation| {
            let event = json!({ "type": "new_message", "chat_id": 2, "seq": 6, "message": examples::message() });
            let gone = json!({ "type": "chat_deleted", "chat_id": 8 });
            operation
                .says("The events that a socket would have brought to who comes back. The body may be 1 MiB large.")
                .takes::<SinceFields>(json!({ "chats": { "1": 4, "2": 5, "8": 3 }, "wait": 25 }))
                .answers::<SinceView>(
                    200,
                    "What there is, at once or as soon as there is something.",
                    json!({
                        "events": [gone, event],
                        "heads": { "1": 4, "2": 6 },
                        "unread": { "1": 1, "2": 2 },
                        "removed": [8],
                    }),
                )
        });
    reference.api(TAG, "events/").get("streamEvents", "Server-sent events", |operation| {
        operation
            .says(
                "`hello`, then events as over a socket. The schema is that of one event: the JSON object in its `data:`. What \
                 lasts has an `id:`; a client that comes back with it gets what it missed first.",
            )
            .query("chats", text(), CHATS)
            .header("Last-Event-ID", "The `id:` of the last event that was received.")
            .answers_with("The stream, which does not end by itself.", "text/event-stream", reference_to("Event"), Value::Null)
    });
    reference.signed_in(TAG, "/messages/ws/").get("openWebSocket", "A socket", |operation| {
        operation
            .says(
                "A WebSocket that carries all of the caller's chats. Its events and commands are described at \
                 `/messages/api/schema/websocket/`.",
            )
            .query("chats", text(), CHATS)
            .query("resume", json!({ "type": "string", "const": "1" }), "Live events wait until the client has said how far it has heard.")
            .answers_nothing(101, "The socket is open.")
            .refuses(&[403, 426, 429])
    });
}
