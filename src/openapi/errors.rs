//! Error responses, which all operations share.

use serde_json::{Map, Value, json};

use super::components::Components;

/// Error responses: status, header, description and an example of the body.
const ERRORS: [(u16, &str, &str, &str); 13] = [
    (
        400,
        "",
        "The body or the query cannot be parsed, or breaks a rule. Errors of no single field are under `non_field_errors`.",
        r#"{"error": "Invalid request", "details": {"content": ["This field may not be blank."]}}"#,
    ),
    (
        401,
        "WWW-Authenticate",
        "No valid credentials.",
        r#"{"detail": "Authentication credentials were not provided."}"#,
    ),
    (
        403,
        "",
        "The caller may not do this, or the request is authenticated by the cookie and is from another site.",
        r#"{"detail": "You do not have permission to perform this action."}"#,
    ),
    (
        404,
        "",
        "It does not exist, was deleted, or is hidden from the caller. Also: no such page.",
        r#"{"detail": "Not found."}"#,
    ),
    (
        408,
        "",
        "The body took more than 10 seconds.",
        r#"{"detail": "The request body did not arrive in time."}"#,
    ),
    (
        409,
        "",
        "The `client_id` was used with other content, the username was registered by a visitor, or an upload is not in the \
         state that the request needs.",
        r#"{"detail": "This client_id was used for a message with other content."}"#,
    ),
    (
        413,
        "",
        "The body or the file is too large, or there is no space left for the file; `left` has the bytes that are.",
        r#"{"detail": "The request body is too large."}"#,
    ),
    (
        415,
        "",
        "The body has an unsupported media type.",
        r#"{"detail": "Unsupported media type \"text/plain\" in request."}"#,
    ),
    (
        416,
        "Content-Range",
        "The file does not have this range.",
        r#"{"detail": "The file does not have this range."}"#,
    ),
    (
        426,
        "Upgrade",
        "No WebSocket handshake of version 13.",
        r#"{"detail": "Expected a WebSocket handshake of version 13."}"#,
    ),
    (
        429,
        "Retry-After",
        "Rate limit exceeded; `Retry-After` gives the seconds until a retry is allowed.",
        r#"{"detail": "Request was throttled. Expected available in 60 seconds."}"#,
    ),
    (500, "", "An internal error of the server.", r#"{"error": "Internal server error"}"#),
    (
        503,
        "Retry-After",
        "Overloaded, shutting down, or the database is unavailable; `Retry-After` gives the seconds until a retry.",
        r#"{"error": "Service unavailable"}"#,
    ),
];

/// Returns the component name of a status, which client generators use for a type.
pub(crate) fn name(status: u16) -> &'static str {
    match status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        408 => "RequestTimeout",
        409 => "Conflict",
        413 => "PayloadTooLarge",
        415 => "UnsupportedMediaType",
        416 => "RangeNotSatisfiable",
        426 => "UpgradeRequired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalServerError",
    }
}

/// Returns the responses by name, for references of operations.
pub(crate) fn responses(components: &mut Components) -> Value {
    let sentences = json!({ "type": "array", "items": { "type": "string" } });
    let detail =
        components.add("ErrorDetail", object(&["detail"], json!({ "detail": { "type": "string" } })));
    let space = json!({ "detail": { "type": "string" }, "left": { "type": "integer" } });
    let space = components.add("TooLarge", object(&["detail"], space));
    let fault = components.add("ServerError", object(&["error"], json!({ "error": { "type": "string" } })));
    let details = json!({ "type": "object", "additionalProperties": sentences });
    let invalid = components.add(
        "InvalidRequest",
        object(&["error", "details"], json!({ "error": { "type": "string" }, "details": details })),
    );
    let response = |(status, header, text, example): &(u16, &str, &str, &str)| {
        let schema = match status {
            // The HTTP library itself rejects malformed requests, with an `ErrorDetail`.
            400 => json!({ "oneOf": [invalid, detail] }),
            413 => space.clone(),
            500 | 503 => fault.clone(),
            _ => detail.clone(),
        };
        let example: Value = serde_json::from_str(example).unwrap_or_default();
        let mut response = json!({
            "description": text,
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } },
            "content": { "application/json": { "schema": schema, "example": example } },
        });
        if !header.is_empty() {
            response["headers"][*header] = json!({ "required": true, "schema": { "type": "string" } });
        }
        (name(*status).to_owned(), response)
    };
    Value::Object(ERRORS.iter().map(response).collect::<Map<_, _>>())
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}
