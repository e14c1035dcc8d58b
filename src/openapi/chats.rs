//! Operations for chats, read markers and typing.

use serde_json::json;

use super::{
    builder::Reference,
    examples,
    operation::{one_of, text},
};
use crate::{
    api::{
        activity::{MarkedView, TypingView, UnreadCounts},
        chats::{CreateFields, UpdateFields},
    },
    input::{MarkFields, MeFields, TypingFields},
    view::ChatView,
};

const TAG: &str = "Chats";
const ACTIVITY: &str = "Activity";

/// Operations that take the id of a chat.
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
                .description("Pinned chats first, then by latest activity. `custom.NAME=VALUE` finds chats by the names in \
                     `GREENROOM_CUSTOM_KEYS`.")
                .paged(10)
                .query("search", text(), "Words to find in the given title or in another member's name.")
                .matches()
                .query("chat_type", one_of(&["dm", "group", "room"]), "Only chats of this type.")
                .answers_page::<ChatView>("A page of chats.", examples::chat())
                .errors(&[400])
        })
        .post("createChat", "Create a chat", |operation| {
            operation
                .description(
                    "The caller becomes its admin, except of a public room on an object, which has no admin. There is one dm of \
                     two users and one room of an object: an existing one is returned unchanged. Users other than staff may create \
                     a limited number per hour, else 429, and may be in a limited number that they created or joined, else 400.",
                )
                .takes::<CreateFields>(
                    json!({ "chat_type": "group", "title": "Plans", "member_ids": [2] }),
                )
                .answers::<ChatView>(201, "The new chat.", examples::chat())
                .answers::<ChatView>(200, "The existing chat.", examples::chat())
                .link(201, "chat", &WITH_A_CHAT)
        });
    reference
        .api(TAG, "chats/{chat}/")
        .get("getChat", "A chat", |operation| {
            operation.description("For members; a public room for every user.").answers::<ChatView>(
                200,
                "The chat.",
                examples::chat(),
            )
        })
        .put("replaceChat", "Change a chat's title", |operation| {
            operation
                .description("For admins, in a dm for either member. Staff rename every room, and open a private one.")
                .takes_part::<UpdateFields>("ChatReplacement", "title! is_public guest_access custom", json!({ "title": "Plans for May" }))
                .answers::<ChatView>(200, "The chat.", examples::chat())
        })
        .patch("updateChat", "Change a chat's title", |operation| {
            operation
                .description(
                    "For admins, in a dm for either member. Without `title` it stays. Custom data is for admins and staff. Staff rename every room, and open a \
                     private one.",
                )
                .takes_part::<UpdateFields>("ChatUpdate", "title is_public guest_access custom", json!({ "title": "Plans for May" }))
                .answers::<ChatView>(200, "The chat.", examples::chat())
        })
        .delete("deleteChat", "Delete a chat for all its members", |operation| {
            operation.description("For admins; the admin of a dm is its creator.").answers_nothing(204, "Deleted.")
        });
    activity(reference);
}

fn activity(reference: &mut Reference) {
    reference.api(ACTIVITY, "chats/{chat}/mark-as-read/").post("markAsRead", "Mark as read", |operation| {
        operation
            .description("Moves the caller's read marker forward, never back. For members.")
            .takes::<MarkFields>(json!({ "message_id": 5 }))
            .answers::<MarkedView>(
                200,
                "The number of newly read messages.",
                json!({ "status": "success", "marked_count": 1 }),
            )
    });
    reference.api(ACTIVITY, "chats/{chat}/me/").patch(
        "updateChatPreferences",
        "Mute, pin, mark as unread",
        |operation| {
            operation
                .description("The caller's own preferences, which no other user can see. For members.")
                .takes::<MeFields>(json!({ "is_pinned": true, "unread_from": 4 }))
                .answers::<ChatView>(200, "The chat.", examples::chat())
        },
    );
    reference.api(ACTIVITY, "chats/{chat}/typing/").post(
        "sendTyping",
        "Report that the caller is typing",
        |operation| {
            operation
                .description("Repeat it at least every 6 seconds while the user types. For members.")
                .takes::<TypingFields>(json!({ "is_typing": true }))
                .answers::<TypingView>(200, "Published.", json!({ "status": "success" }))
        },
    );
    reference.api(ACTIVITY, "unread/").get("getUnreadCounts", "Unread counts", |operation| {
        operation.answers::<UnreadCounts>(
            200,
            "The counts.",
            json!({
                "total": 3,
                "mentions": 0,
                "chats": { "1": 1, "2": 2 },
                "chat_mentions": {},
                "threads": { "5": { "chat": 2, "unread": 1, "mentions": 0 } },
                "threads_total": 1,
            }),
        )
    });
}
