//! Operations for health checks, pages and static files.

use serde_json::{Value, json};

use super::{
    builder::Reference,
    operation::{Operation, text},
};
use crate::{api::health::HealthView, paths::BASE};

const TAG: &str = "Server";
const KNOWN: &str = "Unchanged: `If-None-Match` has the current ETag.";

pub(crate) fn describe(reference: &mut Reference) {
    let links = json!({ "type": "object", "additionalProperties": { "type": "string", "format": "uri" } });
    let links = reference.components.add("ApiLinks", links);
    reference.open(TAG, &format!("{BASE}/")).get("getApiRoot", "The root of the API", |operation| {
        let example = json!({ "chats": "http://localhost:8000/messages/api/chats/" });
        operation
            .answers_with("Links to the lists. For browsers, a page.", "application/json", links, example)
            .answers_with("", "text/html", text(), Value::Null)
    });
    reference.open(TAG, &format!("{BASE}/schema/")).get("getOpenApi", "This description", |operation| {
        operation.answers_with("OpenAPI 3.1.", "application/json", json!({ "type": "object" }), Value::Null)
    });
    reference.open(TAG, &format!("{BASE}/docs/")).get(
        "getReferencePage",
        "The documentation page",
        |operation| operation.answers_with("A page with this description.", "text/html", text(), Value::Null),
    );
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
        ("/healthz", "getHealth", "Liveness"),
        ("/readyz", "getReadiness", "Readiness: the database responds and the server is not shutting down"),
    ] {
        reference.open(TAG, path).get(id, summary, |operation| {
            operation.answers::<HealthView>(200, "Alive or ready.", json!({ "status": "ok" }))
        });
    }
    for (path, id, summary) in
        [("/", "getHomePage", "The messages page"), ("/messages/", "getMessagesPage", "The messages page")]
    {
        reference.open(TAG, path).get(id, summary, |operation| {
            operation
                .answers_with("The page.", "text/html", text(), Value::Null)
                .answers_nothing(302, "The caller is not signed in.")
                .response_header(302, "Location", "The sign-in page.")
        });
    }
    reference.open(TAG, "/demo/").get("getDemoPage", "A page with the widgets", |operation| {
        operation.answers_with("The page.", "text/html", text(), Value::Null)
    });
    files(reference);
}

/// Adds the formats of pictures that are fetched from other hosts.
fn with_pictures(operation: Operation<'_>) -> Operation<'_> {
    let picture = json!({ "type": "string", "format": "binary" });
    let kinds = ["png", "jpeg", "gif", "webp", "avif"].map(|kind| format!("image/{kind}"));
    kinds.iter().fold(operation, |operation, kind| {
        operation.answers_with("The picture.", kind, picture.clone(), Value::Null)
    })
}

fn files(reference: &mut Reference) {
    reference.open(TAG, "/messages/avatars/{user}.svg").get("getAvatar", "A user's initials", |operation| {
        operation
            .description(
                "If `GREENROOM_CONTACTS` is not `all`, the request needs the key from `avatar_url`, or a caller that may find \
                 the user.",
            )
            .query("key", text(), "The key from `avatar_url`.")
            .answers_with("A picture.", "image/svg+xml", text(), Value::Null)
            .answers_nothing(304, KNOWN)
            .errors(&[404])
    });
    reference.open(TAG, "/messages/pictures/{user}/{signature}").get(
        "getPicture",
        "A user's picture from another host",
        |operation| {
            with_pictures(operation)
                .description(
                    "Only with `GREENROOM_PICTURE_PROXY`: the picture at the URL in `avatar_url`, as long as the user has it. Also \
                     404 if it cannot be fetched.",
                )
                .answers_nothing(304, KNOWN)
                .errors(&[404, 503])
        },
    );
    reference.open(TAG, "/messages/previews/{signature}").get(
        "getPreviewPicture",
        "The picture of a page that a message links to",
        |operation| {
            with_pictures(operation)
                .description("Only with `GREENROOM_LINK_PREVIEWS`: the address in `image_url`. Also 404 if it cannot be fetched.")
                .query("url", text(), "The address of the picture, which this server has signed.")
                .answers_nothing(304, KNOWN)
                .errors(&[404, 503])
        },
    );
    for (path, id, summary, kind) in [
        ("/messages/widgets.js", "getWidgetsScript", "The widgets, as a module", "text/javascript"),
        ("/messages/greenroom.js", "getClientScript", "The JavaScript client", "text/javascript"),
        (
            "/messages/greenroom.d.ts",
            "getClientTypes",
            "The JavaScript client's types",
            "application/typescript",
        ),
    ] {
        reference.open(TAG, path).get(id, summary, |operation| {
            operation.answers_with("The file.", kind, text(), Value::Null).answers_nothing(304, KNOWN)
        });
    }
    reference.open(TAG, "/messages/static/{version}/{path}").get(
        "getStaticFile",
        "A static file of the pages",
        |operation| {
            operation
                .description("Cacheable for a year if `version` is the current one, which the pages use.")
                .answers_with("The file.", "*/*", text(), Value::Null)
                .answers_nothing(304, KNOWN)
                .errors(&[404])
        },
    );
}
