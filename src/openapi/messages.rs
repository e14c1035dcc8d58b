//! Operations for messages and reactions.

use serde_json::json;

use super::{
    builder::Reference,
    examples,
    operation::{id, text},
};
use crate::{
    api::{history::HistoryView, pins::PinsView, reactions::ReactedView, search::FoundView},
    input::{EditFields, PostFields, ReactFields},
    view::MessageView,
};

const TAG: &str = "Messages";
const REACTIONS: &str = "Reactions";

pub(crate) fn describe(reference: &mut Reference) {
    reference
        .api(TAG, "chats/{chat}/messages/")
        .get("listMessages", "Messages of a chat", |operation| {
            operation
                .description(
                    "The timeline, newest first, including tombstones. New messages shift numbered pages; pages with `before` and `after` are \
                     stable. With either, `next` leads to older and `previous` to newer messages. For members.",
                )
                .paged(50)
                .query("before", id(), "The messages nearest below this id.")
                .query("after", id(), "The messages nearest above this id.")
                .query(
                    "at",
                    text(),
                    "A day in UTC (`2026-05-01`) or a time as in RFC 3339: the page whose oldest message is the first one at that \
                     time or after it. The newest page if there is none.",
                )
                .query(
                    "include",
                    json!({ "type": "string", "const": "replies" }),
                    "`replies`: also the replies that are only in threads.",
                )
                .query("search", text(), "Words, all of which must be found. The answer is that of `search/`.")
                .query("has", json!({ "type": "string", "const": "file" }), "`file`: only messages with attachments. The answer is that of `search/`.")
                .matches()
                .answers_or_page::<FoundView, MessageView>("A page of messages.", examples::message())
                .errors(&[400])
        })
        .post("sendMessage", "Send a message", |operation| {
            operation
                .description(
                    "Idempotent by `client_id`: if the sender has used it in the chat before, the response is 200 with the first \
                     message in its current state, and no message is sent. For members.",
                )
                .takes::<PostFields>(json!({ "content": "In the wiki, under Plans.", "client_id": "c-1", "reply_to": 4 }))
                .answers::<MessageView>(201, "The new message.", examples::message())
                .answers::<MessageView>(200, "The message that was sent earlier.", examples::message())
                .link(
                    201,
                    "message",
                    &["getMessage", "updateMessage", "deleteMessage", "toggleReaction", "listReplies", "followThread"],
                )
                .errors(&[409])
        });
    reference.api(TAG, "search/").get("searchMessages", "Search messages", |operation| {
        let found = json!({
            "count": 1,
            "next": null,
            "previous": null,
            "results": [examples::found_message()],
            "is_complete": true,
        });
        operation
            .description(
                "In all of the caller's chats, newest first. Every word must be found, in any case. `next` and \
                 `previous` use `before`, and lead through all hits.",
            )
            .query("q", json!({ "type": "string", "minLength": 1 }), "The words. Required, and not blank, unless `has` is given.")
            .query("has", json!({ "type": "string", "const": "file" }), "`file`: only messages with attachments. `q` may then be missing.")
            .query("chat", id(), "Only in this chat.")
            .matches()
            .paged(50)
            .query("before", id(), "Only messages below this id.")
            .query("after", id(), "Only messages above this id.")
            .answers::<FoundView>(200, "A page of messages.", found)
            .errors(&[400])
    });
    reference
        .api(TAG, "messages/{message}/")
        .get("getMessage", "A message", |operation| {
            operation
                .description("For members of its chat. A deleted message is 404.")
                .answers::<MessageView>(200, "The message.", examples::message())
        })
        .put("replaceMessage", "Edit a message", |operation| {
            operation
                .description("For its sender, while a member.")
                .takes_part::<EditFields>("MessageReplacement", "content! mentions custom", json!({ "content": "Lunch?" }))
                .answers::<MessageView>(200, "The message.", examples::message())
        })
        .patch("updateMessage", "Edit a message", |operation| {
            operation
                .description("For its sender, while a member. Without `content` the text stays. Custom data is also for staff.")
                .takes_part::<EditFields>("MessageUpdate", "content mentions custom", json!({ "content": "Lunch?" }))
                .answers::<MessageView>(200, "The message.", examples::message())
        })
        .delete("deleteMessage", "Delete a message", |operation| {
            operation
                .description("Replaces it with a tombstone. For its sender, while a member.")
                .answers_nothing(204, "Deleted.")
        });
    reference.api(TAG, "messages/{message}/history/").get("getMessageHistory", "Earlier texts of a message", |operation| {
        let earlier = json!({ "content": "In the wicki, under Plans.", "at": "2026-11-23T08:01:05.194618Z" });
        operation
            .description("Newest first, at most 50. 404 if the history is off, or for staff only: `GREENROOM_MESSAGE_HISTORY`.")
            .answers::<HistoryView>(200, "The texts before the edits.", json!({ "results": [earlier] }))
    });
    let index = "messages/{message}/previews/{index}/";
    reference.api(TAG, index).delete("deletePreview", "Remove a preview of a link", |operation| {
        operation
            .description("For the sender of the message, for good. `index`: its place in `previews`, from 0.")
            .answers_nothing(204, "Removed.")
    });
    pins(reference);
    reactions(reference);
}

fn pins(reference: &mut Reference) {
    reference.api(TAG, "chats/{chat}/pins/").get("listPinnedMessages", "Pinned messages", |operation| {
        operation.description("The one pinned last first, at most 50. For members.").answers::<PinsView>(
            200,
            "The messages.",
            json!({ "results": [examples::message()] }),
        )
    });
    reference
        .api(TAG, "chats/{chat}/pins/{message}/")
        .put("pinMessage", "Pin a message", |operation| {
            operation
                .description(
                    "Idempotent. For admins; in a dm, and in a group of up to 25 members, for every member.",
                )
                .answers::<MessageView>(200, "The message is pinned.", examples::message())
                .errors(&[400])
        })
        .delete("unpinMessage", "Unpin a message", |operation| {
            operation
                .description("Idempotent. For those who may pin.")
                .answers_nothing(204, "The message is not pinned.")
        });
}

fn reactions(reference: &mut Reference) {
    let reacted = json!({ "action": "added", "emoji": "👍", "message_id": 5 });
    let answer = reacted.clone();
    reference.api(REACTIONS, "messages/{message}/reactions/").post(
        "toggleReaction",
        "Toggle a reaction",
        |operation| {
            operation
                .description("Adds the caller's reaction, or removes it if it exists. For members.")
                .takes::<ReactFields>(json!({ "emoji": "👍" }))
                .answers::<ReactedView>(200, "The reaction, and whether it was added or removed.", answer)
        },
    );
    reference
        .api(REACTIONS, "messages/{message}/reactions/{emoji}/")
        .put("addReaction", "Add a reaction", |operation| {
            operation
                .description("Idempotent. For members.")
                .answers::<ReactedView>(200, "The reaction is set.", reacted)
                .errors(&[400])
        })
        .delete("removeReaction", "Remove a reaction", |operation| {
            operation
                .description("Idempotent. For members.")
                .answers_nothing(204, "The reaction is not set.")
                .errors(&[400])
        });
}
