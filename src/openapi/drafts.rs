//! Operations for drafts.

use serde_json::json;

use super::{builder::Reference, examples, operation::id};
use crate::{api::drafts::DraftsView, core::model::Draft, input::DraftFields};

const TAG: &str = "Messages";

const THREAD: &str = "The message whose thread the draft belongs to. Without it: the chat's timeline. A message of the chat, else 400.";

const USER: &str =
    "The id of the user that the client takes for the caller. 403 if the caller is another user.";

pub(crate) fn describe(reference: &mut Reference) {
    reference.api(TAG, "drafts/").get("listDrafts", "The caller's drafts", |operation| {
        operation.description("Of all chats, the latest first.").answers::<DraftsView>(
            200,
            "The drafts.",
            json!({ "results": [examples::draft()] }),
        )
    });
    reference
        .api(TAG, "chats/{chat}/draft/")
        .put("saveDraft", "Save a draft", |operation| {
            operation
                .description(
                    "There is one draft for each user, chat and thread; the last one to arrive replaces it. An empty \
                     text without `reply_to` removes it. Sending a message removes the sender's draft too. For members \
                     who may write.",
                )
                .query("thread", id(), THREAD)
                .query("user", id(), USER)
                .takes::<DraftFields>(json!({ "content": "I will ask Bob " }))
                .answers::<Draft>(200, "The draft.", examples::draft())
                .answers_nothing(204, "The draft was empty: there is none now.")
        })
        .delete("removeDraft", "Remove a draft", |operation| {
            operation
                .description("Idempotent. For members.")
                .query("thread", id(), THREAD)
                .query("user", id(), USER)
                .answers_nothing(204, "There is no draft.")
                .errors(&[400])
        });
}
