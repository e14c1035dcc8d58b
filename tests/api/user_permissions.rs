//! Permissions on users: a table of endpoints and roles. Each cell uses its own user.

use greenroom::core::model::Contacts;
use serde_json::json;

use crate::support::{Server, User};

/// The callers, in the order of the tables' columns.
const ROLES: [&str; 5] = ["anonymous", "stranger", "acquaintance", "self", "staff"];

/// Method, path, body, and the status for each role: with all users known to each other, and with only those
/// known that share a chat.
type Row = (&'static str, &'static str, &'static str, [u16; 5], [u16; 5]);

const FOR_STAFF: [u16; 5] = [401, 403, 403, 403, 200];

const ROWS: &[Row] = &[
    ("GET", "api/users/{user}/", "", [401, 200, 200, 200, 200], [401, 404, 200, 200, 200]),
    ("PATCH", "api/users/{user}/", r#"{"first_name": "x"}"#, FOR_STAFF, FOR_STAFF),
    ("PATCH", "api/users/{user}/", r#"{"is_active": false}"#, FOR_STAFF, FOR_STAFF),
    ("PATCH", "api/users/{user}/", r#"{"is_registered": false}"#, FOR_STAFF, FOR_STAFF),
    (
        "POST",
        "api/users/",
        r#"{"username": "new-{user}"}"#,
        [401, 403, 403, 403, 201],
        [401, 403, 403, 403, 201],
    ),
    ("POST", "api/users/", r#"{"username": "user-{user}"}"#, FOR_STAFF, FOR_STAFF),
    ("GET", "api/users/", "", FOR_STAFF, FOR_STAFF),
    ("POST", "api/users/{user}/revoke/", "{}", [401, 403, 403, 403, 204], [401, 403, 403, 403, 204]),
    ("POST", "api/users/{user}/tokens/", "{}", [401, 403, 403, 403, 201], [401, 403, 403, 403, 201]),
    ("DELETE", "api/users/{user}/tokens/", "", [401, 403, 403, 403, 204], [401, 403, 403, 403, 204]),
    ("POST", "api/users/{user}/block/", "", [401, 200, 200, 400, 200], [401, 404, 200, 400, 200]),
    ("DELETE", "api/users/{user}/block/", "", [401, 204, 204, 204, 204], [401, 404, 204, 204, 204]),
    ("GET", "avatars/{user}.svg", "", [200; 5], [404, 404, 200, 200, 200]),
    (
        "POST",
        "api/chats/",
        r#"{"chat_type": "dm", "member_ids": [{user}]}"#,
        [401, 201, 201, 201, 201],
        [401, 403, 201, 201, 201],
    ),
];

async fn check(contacts: Contacts) {
    let server = Server::start_with(|config| config.contacts = contacts).await;
    let (staff, stranger) = (server.staff("root").await, server.user("nina").await);
    let acquaintance = server.user("ann").await;
    for (number, row) in ROWS.iter().enumerate() {
        let (method, path, body, known, hidden) = row;
        for (role, name) in ROLES.into_iter().enumerate() {
            let user = server.user(&format!("user-{}", 1_000 + number * ROLES.len() + role)).await;
            staff.group("Team", &[&acquaintance, &user]).await;
            let nobody = server.anonymous();
            let principal: &User = [&nobody, &stranger, &acquaintance, &user, &staff][role];
            // Names in the rows contain the user's name.
            let called = user.name.trim_start_matches("user-");
            let body = body.replace("\"user-{user}\"", &format!("\"{}\"", user.name));
            let body =
                body.replace("new-{user}", &format!("new-{called}")).replace("{user}", &user.id.to_string());
            let body = (!body.is_empty()).then(|| serde_json::from_str(&body).unwrap());
            let path = format!("/messages/{}", path.replace("{user}", &user.id.to_string()));
            let reply = principal.send(method, &path, body).await;
            let expected = if contacts == Contacts::All { known[role] } else { hidden[role] };
            assert_eq!(reply.status, expected, "{method} {path} by the {name}: {reply:?}");
            if expected == 404 {
                let detail = json!({"detail": "Not found."});
                assert_eq!(reply.json, detail, "{method} {path} by the {name}");
            }
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn where_all_are_known_to_each_other() {
    check(Contacts::All).await;
}

#[actix_rt::test(system = "crate::System")]
async fn where_those_are_known_who_share_a_chat() {
    check(Contacts::SharedChat).await;
}
