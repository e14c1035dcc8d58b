//! The server itself, its pages, and what they are made of.

use serde_json::{Value, json};

use super::{builder::Reference, operation::text};
use crate::{api::health::HealthView, paths::BASE};

const TAG: &str = "Server";
const KNOWN: &str = "Not changed since the version that `If-None-Match` names.";

pub(crate) fn describe(reference: &mut Reference) {
    let links = json!({ "type": "object", "additionalProperties": { "type": "string", "format": "uri" } });
    let links = reference.components.add("ApiLinks", links);
    reference.open(TAG, &format!("{BASE}/")).get("getApiRoot", "The beginning of the API", |operation| {
        let example = json!({ "chats": "http://localhost:8000/messages/api/chats/" });
        operation
            .answers_with("Links to the lists; for browsers a page.", "application/json", links, example)
            .answers_with("", "text/html", text(), Value::Null)
    });
    reference.open(TAG, &format!("{BASE}/schema/")).get("getOpenApi", "This description", |operation| {
        operation.answers_with("OpenAPI 3.1.", "application/json", json!({ "type": "object" }), Value::Null)
    });
    reference.open(TAG, &format!("{BASE}/docs/")).get("getReferencePage", "The documentation", |operation| {
        operation.answers_with("A page that shows this description.", "text/html", text(), Value::Null)
    });
    reference.open(TAG, &format!("{BASE}/schema/websocket/")).get(
        "getAsyncApi",
        "The description of sockets",
        |operation| {
            operation.answers_with(
                "AsyncAPI 3.",
                "application/json",
                json!({ "type": "object" }),
                Value::Null,
            )
        },
    );
    for (path, id, summary) in [
        ("/healthz", "getHealth", "Whether the process lives"),
        ("/readyz", "getReadiness", "Whether requests can be sent here"),
    ] {
        reference.open(TAG, path).get(id, summary, |operation| {
            operation.answers::<HealthView>(200, "Yes.", json!({ "status": "ok" }))
        });
    }
    for (path, id, summary) in
        [("/", "getHomePage", "The messages page"), ("/messages/", "getMessagesPage", "The messages page")]
    {
        reference.open(TAG, path).get(id, summary, |operation| {
            operation
                .answers_with("The page.", "text/html", text(), Value::Null)
                .answers_nothing(302, "Nobody is signed in.")
                .bears(302, "Location", "The sign-in page.")
        });
    }
    reference.open(TAG, "/demo/").get("getDemoPage", "A page with the widgets", |operation| {
        operation.answers_with("The page.", "text/html", text(), Value::Null)
    });
    files(reference);
}

fn files(reference: &mut Reference) {
    reference.open(TAG, "/messages/avatars/{user}.svg").get("getAvatar", "A user's initials", |operation| {
        operation
            .says(
                "Where `GREENROOM_CONTACTS` is not `all`, the address needs the key with which `avatar_url` names it, or a \
                 caller who may find the user.",
            )
            .query("key", text(), "As `avatar_url` has it.")
            .answers_with("A picture.", "image/svg+xml", text(), Value::Null)
            .answers_nothing(304, KNOWN)
            .refuses(&[404])
    });
    reference.open(TAG, "/messages/pictures/{user}/{signature}").get(
        "getPicture",
        "A user's picture of another host",
        |operation| {
            let picture = json!({ "type": "string", "format": "binary" });
            let kinds = ["png", "jpeg", "gif", "webp", "avif"].map(|kind| format!("image/{kind}"));
            kinds
                .iter()
                .fold(operation, |operation, kind| {
                    operation.answers_with("The picture.", kind, picture.clone(), Value::Null)
                })
                .says(
                    "With `GREENROOM_PICTURE_PROXY`, which fetches it: at the address that `avatar_url` names, as long as the \
                     user has the picture. 404 as well where it cannot be fetched.",
                )
                .answers_nothing(304, KNOWN)
                .refuses(&[404, 503])
        },
    );
    for (path, id, summary, kind) in [
        ("/messages/widgets.js", "getWidgetsScript", "The widgets, as a module", "text/javascript"),
        ("/messages/greenroom.js", "getClientScript", "The JavaScript client", "text/javascript"),
        ("/messages/greenroom.d.ts", "getClientTypes", "Its types", "application/typescript"),
    ] {
        reference.open(TAG, path).get(id, summary, |operation| {
            operation.answers_with("The file.", kind, text(), Value::Null).answers_nothing(304, KNOWN)
        });
    }
    reference.open(TAG, "/messages/static/{version}/{path}").get(
        "getStaticFile",
        "What the pages are made of",
        |operation| {
            operation
                .says("To be kept for a year where `version` is the one that the pages name.")
                .answers_with("The file.", "*/*", text(), Value::Null)
                .answers_nothing(304, KNOWN)
                .refuses(&[404])
        },
    );
}
