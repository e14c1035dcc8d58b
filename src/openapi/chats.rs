//! Chats, reading and typing.

use serde_json::json;

use super::{
    builder::Reference,
    examples,
    operation::{one_of, text},
};
use crate::{
    api::{
        activity::{MarkedView, TypingView, UnreadView},
        chats::{CreateFields, UpdateFields},
    },
    input::{MarkFields, MeFields, TypingFields},
    view::ChatView,
};

const TAG: &str = "Chats";
const ACTIVITY: &str = "Activity";

/// What can be done with a chat, once its id is known.
const WITH_A_CHAT: [&str; 8] = [
    "getChat",
    "updateChat",
    "deleteChat",
    "listMessages",
    "sendMessage",
    "listMembers",
    "addMembers",
    "markAsRead",
];

pub(crate) fn describe(reference: &mut Reference) {
    reference
        .api(TAG, "chats/")
        .get("listChats", "The caller's chats", |operation| {
            operation
                .says("Pinned ones before others, those with the latest activity first.")
                .paged(10)
                .query("search", text(), "Words that are in the title that was given, or in another member's name.")
                .matches()
                .query("chat_type", one_of(&["dm", "group", "room"]), "Only such chats.")
                .answers_page::<ChatView>("A page of chats.", examples::chat())
                .refuses(&[400])
        })
        .post("createChat", "Make a chat", |operation| {
            operation
                .says(
                    "The caller is its admin, but for a public room on an object, which is nobody's own. A dm of the same \
                     two, and the room of the same object, are there once: they are answered as they are. Who is not staff \
                     makes only so many in an hour, 429, and is in no more than so many that they made or joined, 400.",
                )
                .takes::<CreateFields>(
                    json!({ "chat_type": "group", "title": "Plans", "member_ids": [2] }),
                )
                .answers::<ChatView>(201, "The new chat.", examples::chat())
                .answers::<ChatView>(200, "The chat that was there already.", examples::chat())
                .leads_to(201, "chat", &WITH_A_CHAT)
        });
    reference
        .api(TAG, "chats/{chat}/")
        .get("getChat", "A chat", |operation| {
            operation.says("For its members; a public room for anybody.").answers::<ChatView>(
                200,
                "The chat.",
                examples::chat(),
            )
        })
        .put("replaceChat", "Change a chat's title", |operation| {
            operation
                .says("For admins; in a dm for either. Staff rename every room, and open a private one.")
                .takes_part::<UpdateFields>("ChatReplacement", "title! is_public", json!({ "title": "Plans for May" }))
                .answers::<ChatView>(200, "The chat.", examples::chat())
        })
        .patch("updateChat", "Change a chat's title", |operation| {
            operation
                .says(
                    "For admins; in a dm for either. Without a title it stays. Staff rename every room, and open a private one.",
                )
                .takes_part::<UpdateFields>("ChatUpdate", "title is_public", json!({ "title": "Plans for May" }))
                .answers::<ChatView>(200, "The chat.", examples::chat())
        })
        .delete("deleteChat", "Delete a chat for all its members", |operation| {
            operation.says("For admins; a dm's is the one who began it.").answers_nothing(204, "It is gone.")
        });
    activity(reference);
}

fn activity(reference: &mut Reference) {
    reference.api(ACTIVITY, "chats/{chat}/mark-as-read/").post("markAsRead", "Mark as read", |operation| {
        operation
            .says("Moves the caller's read marker forward, never back. For members.")
            .takes::<MarkFields>(json!({ "message_id": 5 }))
            .answers::<MarkedView>(200, "Done.", json!({ "status": "success", "marked_count": 1 }))
    });
    reference.api(ACTIVITY, "chats/{chat}/me/").patch(
        "updateChatPreferences",
        "Mute, pin, make unread",
        |operation| {
            operation
                .says("What the caller sets for themselves; nobody else sees or hears of it. For members.")
                .takes::<MeFields>(json!({ "is_pinned": true, "unread_from": 4 }))
                .answers::<ChatView>(200, "The chat.", examples::chat())
        },
    );
    reference.api(ACTIVITY, "chats/{chat}/typing/").post(
        "sendTyping",
        "Say that the caller is typing",
        |operation| {
            operation
                .says("Repeat it at least every 6 seconds while the user types. For members.")
                .takes::<TypingFields>(json!({ "is_typing": true }))
                .answers::<TypingView>(200, "Told.", json!({ "status": "success" }))
        },
    );
    reference.api(ACTIVITY, "unread/").get("getUnreadCounts", "Unread counts", |operation| {
        operation.answers::<UnreadView>(
            200,
            "The counts.",
            json!({ "total": 3, "chats": { "1": 1, "2": 2 } }),
        )
    });
}
