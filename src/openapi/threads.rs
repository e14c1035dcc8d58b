//! Operations for threads.

use serde_json::json;

use super::{builder::Reference, examples, operation::id};
use crate::{
    api::{activity::MarkedView, threads::ThreadView},
    input::MarkFields,
    view::MessageView,
};

const TAG: &str = "Threads";

pub(crate) fn describe(reference: &mut Reference) {
    reference.api(TAG, "threads/").get("listThreads", "Threads that the caller follows", |operation| {
        operation
            .description("The thread with the newest reply first.")
            .query(
                "unread",
                json!({ "type": "string", "const": "1" }),
                "`1`: only threads with unread replies.",
            )
            .paged(50)
            .answers_page::<ThreadView>("A page of threads.", examples::thread())
            .errors(&[400])
    });
    reference.api(TAG, "mentions/").get("listMentions", "Messages that mention the caller", |operation| {
        operation
            .description(
                "By name, with everyone, or with those who were connected. Newest first, replies included.",
            )
            .query(
                "unread",
                json!({ "type": "string", "const": "1" }),
                "`1`: only unread ones, of timelines and followed threads.",
            )
            .paged(50)
            .answers_page::<MessageView>("A page of messages.", examples::message())
            .errors(&[400])
    });
    reference.api(TAG, "threads/{message}/").get("getThread", "A thread", |operation| {
        operation
            .description("Also one that the caller does not follow. A reply has none: 404. For members.")
            .answers::<ThreadView>(200, "The thread.", examples::thread())
    });
    reference.api(TAG, "messages/{message}/replies/").get("listReplies", "Replies of a thread", |operation| {
        operation
            .description(
                "Newest first, including tombstones; also of a deleted root. A reply has none: 404. Pages as of the messages of a \
                 chat. For members.",
            )
            .paged(50)
            .query("before", id(), "The replies nearest below this id.")
            .query("after", id(), "The replies nearest above this id.")
            .answers_page::<MessageView>("A page of replies.", examples::message())
            .errors(&[400])
    });
    reference
        .api(TAG, "messages/{message}/follow/")
        .put("followThread", "Follow a thread", |operation| {
            operation
                .description(
                    "Idempotent. All replies up to now count as read. Who replies, and the author of the root from its first reply, \
                     follows without it. For members.",
                )
                .answers::<ThreadView>(200, "The thread is followed.", examples::thread())
        })
        .delete("unfollowThread", "Stop following a thread", |operation| {
            operation
                .description("Idempotent. A new reply of one's own begins it anew. For members.")
                .answers_nothing(204, "The thread is not followed.")
        });
    reference.api(TAG, "messages/{message}/mark-as-read/").post(
        "markThreadAsRead",
        "Mark a thread as read",
        |operation| {
            operation
                .description("Up to the reply, or to the end. The read marker never moves back. It is that of the thread alone.")
                .takes::<MarkFields>(json!({ "message_id": 6 }))
                .answers::<MarkedView>(
                    200,
                    "The number of newly read replies of others.",
                    json!({ "status": "success", "marked_count": 1 }),
                )
        },
    );
}
