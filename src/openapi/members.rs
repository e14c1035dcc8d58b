//! Operations for members of chats.

use serde_json::json;

use super::{builder::Reference, examples, operation::text};
use crate::{
    api::members::{AddFields, AddedView, RoleFields},
    view::MemberView,
};

const TAG: &str = "Members";

pub(crate) fn describe(reference: &mut Reference) {
    reference.api(TAG, "chats/{chat}/members/").get("listMembers", "Members of a chat", |operation| {
        operation
            .description("In the order of joining. For members.")
            .paged(100)
            .query("search", text(), "Words to find in the member's names.")
            .matches()
            .answers_page::<MemberView>("A page of members.", examples::member())
    });
    reference.api(TAG, "chats/{chat}/members/add/").post("addMembers", "Add members", |operation| {
        operation
            .description("At most 200 per request. If one of them does not exist, none is added. For a new member all earlier \
                 messages count as read. For admins.")
            .takes::<AddFields>(json!({ "user_ids": [3] }))
            .answers::<AddedView>(200, "All are members.", json!({ "status": "success", "added_count": 1 }))
    });
    reference.api(TAG, "chats/{chat}/members/{user}/").patch(
        "updateMemberRole",
        "Change a role",
        |operation| {
            operation
                .description("For admins. The last active admin cannot be demoted.")
                .takes::<RoleFields>(json!({ "role": "admin" }))
                .answers::<MemberView>(200, "The member.", examples::member())
        },
    );
    reference.api(TAG, "chats/{chat}/members/{user}/remove/").delete(
        "removeMember",
        "Remove a member",
        |operation| {
            operation
                .description("For admins, and for the caller's own membership. A group is deleted when its last member leaves.")
                .answers_nothing(204, "Removed.")
                .errors(&[400])
        },
    );
}
