//! Texts that databases and browsers treat differently, and every field into which a client can put one.

use serde_json::{Value, json};

use super::{Reply, User};

/// A substring, and whether it is a control character that every field rejects.
pub(crate) const AWKWARD: [(&str, bool); 14] = [
    ("\0", true),
    ("\u{1}", true),
    ("\u{1b}[31m", true),
    ("\u{7f}", true),
    ("\u{85}", true),
    ("\r\nX: y", false),
    ("\u{2028}", false),
    ("\u{202e}", false),
    ("\u{ad}", false),
    ("\u{feff}", false),
    ("\u{fffe}\u{ffff}\u{fdd0}", false),
    ("\u{10ffff}", false),
    ("\\u0000", false),
    ("'\"%_\\", false),
];

/// A text field: request method, path, field name, and the body around the text.
pub(crate) struct Place {
    pub method: &'static str,
    pub path: String,
    pub field: &'static str,
    body: fn(&str) -> Value,
}

/// Returns every text field that the server stores. The client must have all permissions in `chat`.
pub(crate) fn places(user: i64, chat: i64, message: i64) -> Vec<Place> {
    let place = |method, path: &str, field, body| Place { method, path: path.to_owned(), field, body };
    let messages = format!("chats/{chat}/messages/");
    let title = format!("chats/{chat}/");
    let edited = format!("messages/{message}/");
    let reactions = format!("messages/{message}/reactions/");
    let other = format!("users/{user}/");
    vec![
        place("PATCH", "users/me/", "first_name", |text| json!({"first_name": text})),
        place("PATCH", "users/me/", "last_name", |text| json!({"last_name": text})),
        place("PATCH", "users/me/", "avatar_url", |text| json!({"avatar_url": format!("/messages/{text}")})),
        place("PATCH", &other, "email", |text| json!({"email": format!("{text}@example.com")})),
        place("PATCH", &other, "avatar_url", |text| json!({"avatar_url": format!("https://x/{text}")})),
        place("POST", "users/", "username", |text| json!({"username": text})),
        place("POST", "users/", "email", |text| json!({"username": "zoe", "email": format!("a@{text}")})),
        place("POST", "chats/", "title", |text| json!({"chat_type": "group", "title": text})),
        place("POST", "chats/", "title", |text| json!({"chat_type": "room", "title": text})),
        place(
            "POST",
            "chats/",
            "object_type",
            |text| json!({"chat_type": "room", "title": "t", "object_type": text, "object_id": "1"}),
        ),
        place(
            "POST",
            "chats/",
            "object_id",
            |text| json!({"chat_type": "room", "title": "t", "object_type": "page", "object_id": text}),
        ),
        place("PATCH", &title, "title", |text| json!({"title": text})),
        place("POST", &messages, "content", |text| json!({"content": text})),
        place("POST", &messages, "client_id", |text| json!({"content": "hi", "client_id": text})),
        place("PATCH", &edited, "content", |text| json!({"content": text})),
        place("POST", &reactions, "emoji", |text| json!({"emoji": text})),
    ]
}

impl Place {
    /// Sends a text in the field.
    pub(crate) async fn takes(&self, user: &User, text: &str) -> Reply {
        user.send(self.method, &format!("/messages/api/{}", self.path), Some((self.body)(text))).await
    }
}
