//! Examples of responses, from the demo database.

use serde_json::{Value, json};

pub(crate) fn user() -> Value {
    json!({ "id": 2, "username": "bob", "display_name": "Bob Brown", "avatar_url": "/messages/avatars/2.svg", "is_guest": false })
}

pub(crate) fn profile() -> Value {
    with(user(), json!({ "custom": {} }))
}

pub(crate) fn found_user() -> Value {
    with(user(), json!({ "email": "bob@example.com", "custom": {} }))
}

pub(crate) fn found_message() -> Value {
    with(message(), json!({ "highlights": [[7, 11]] }))
}

pub(crate) fn own_user() -> Value {
    json!({
        "id": 1,
        "username": "alice",
        "display_name": "Alice Adams",
        "avatar_url": "/messages/avatars/1.svg",
        "is_guest": false,
        "email": "alice@example.com",
        "first_name": "Alice",
        "last_name": "Adams",
        "is_staff": true,
        "is_active": true,
        "external_id": null,
        "custom": {},
    })
}

/// Returns a new guest.
pub(crate) fn guest() -> Value {
    let guest = json!({
        "id": 6,
        "username": "guest6",
        "display_name": "Vera",
        "avatar_url": "/messages/avatars/6.svg",
        "is_guest": true,
        "email": "",
        "first_name": "Vera",
        "last_name": "",
    });
    with(new_user(), guest)
}

/// Returns a user created by staff.
pub(crate) fn new_user() -> Value {
    json!({
        "id": 4,
        "username": "dave",
        "display_name": "Dave",
        "avatar_url": "/messages/avatars/4.svg",
        "is_guest": false,
        "email": "dave@example.com",
        "first_name": "Dave",
        "last_name": "",
        "is_staff": false,
        "is_active": true,
        "external_id": null,
        "custom": {},
    })
}

pub(crate) fn member() -> Value {
    let place = json!({
        "role": "member",
        "joined_at": "2026-11-23T08:02:04.208716Z",
        "last_read_message_id": 5,
        "read_from_message_id": null,
    });
    with(user(), place)
}

pub(crate) fn message() -> Value {
    json!({
        "id": 5,
        "chat": 2,
        "content": "In the wiki, under Plans.",
        "created_at": "2026-11-23T08:01:05.194618Z",
        "updated_at": "2026-11-23T08:01:05.194618Z",
        "is_edited": false,
        "is_deleted": false,
        "sender": user(),
        "reactions": [{ "emoji": "🎉", "count": 2, "users": [3, 1] }],
        "read_by": [2],
        "read_count": 1,
        "client_id": null,
        "custom": { "order": 17 },
        "reply_to": quote(),
        "forwarded_from": null,
        "mentions": { "users": [], "everyone": false, "here": false },
        "attachments": [],
        "previews": [],
        "thread": null,
        "also_in_chat": false,
        "thread_info": null,
        "seq": 6,
    })
}

pub(crate) fn attachment() -> Value {
    json!({
        "id": 3,
        "name": "plan.pdf",
        "size": 48213,
        "content_type": "application/pdf",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "width": null,
        "height": null,
        "blurhash": null,
        "alt": "",
        "state": "clean",
        "url": "/messages/api/files/3/plan.pdf",
        "thumbnails": [],
    })
}

fn quote() -> Value {
    let sender = json!({
        "id": 3,
        "username": "carol",
        "display_name": "Carol Clark",
        "avatar_url": "/messages/avatars/3.svg",
        "is_guest": false,
    });
    json!({ "id": 4, "sender": sender, "excerpt": "Thanks! Where do we keep the notes?", "is_deleted": false })
}

pub(crate) fn tombstone() -> Value {
    let gone = json!({
        "content": "", "is_deleted": true, "reactions": [], "read_by": [], "read_count": 0, "custom": {},
        "reply_to": null,
    });
    with(message(), gone)
}

pub(crate) fn chat() -> Value {
    let own = json!({ "last_read_message_id": null, "unread_count": 2, "unread_mentions": 0, "my_role": "admin", "me": me() });
    with(chat_for_all(), own)
}

/// Returns the caller's preferences in a chat.
pub(crate) fn me() -> Value {
    json!({ "muted_until": null, "is_pinned": true, "unread_from": null, "notify": "all" })
}

pub(crate) fn draft() -> Value {
    let updated_at = "2026-11-23T08:03:10.194618Z";
    json!({
        "chat_id": 2,
        "thread": null,
        "content": "I will ask Bob ",
        "reply_to": 4,
        "mentions": { "users": [], "everyone": false, "here": false },
        "updated_at": updated_at,
    })
}

pub(crate) fn chat_for_all() -> Value {
    json!({
        "id": 2,
        "title": "Project Team",
        "chat_type": "group",
        "created_at": "2026-11-23T08:01:05.193556Z",
        "updated_at": "2026-11-23T08:01:05.194061Z",
        "last_message": message(),
        "members": [member()],
        "member_count": 3,
        "admins": [1],
        "seq": 6,
        "custom": {},
    })
}

/// Returns a public room as seen by a non-member.
pub(crate) fn room() -> Value {
    let room = json!({
        "id": 4,
        "title": "Pricing page",
        "chat_type": "room",
        "last_message": null,
        "member_count": 2,
        "admins": [],
        "seq": 5,
        "custom": {},
        "object": { "type": "page", "id": "pricing" },
        "is_public": true,
        "guest_access": "none",
        "last_read_message_id": null,
        "unread_count": 0,
        "unread_mentions": 0,
        "my_role": null,
        "me": null,
        "is_member": false,
    });
    with(chat(), room)
}

/// Returns the state of a thread.
pub(crate) fn thread_info() -> Value {
    json!({ "reply_count": 1, "last_reply_at": "2026-11-23T08:03:11.402118Z", "participants": [3], "participant_count": 1 })
}

/// Returns a thread in the list of the caller's threads.
pub(crate) fn thread() -> Value {
    let own = json!({ "id": 6, "thread": 5, "reply_to": null, "content": "Found it.", "reactions": [] });
    json!({
        "root": with(message(), json!({ "thread_info": thread_info() })),
        "chat": { "id": 2, "title": "Project Team", "chat_type": "group" },
        "is_followed": true,
        "unread": 1,
        "mentions": 0,
        "last_read_message_id": null,
        "last_reply": with(message(), own),
    })
}

/// Returns an object with fields added or replaced.
pub(crate) fn with(mut object: Value, fields: Value) -> Value {
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object
}
