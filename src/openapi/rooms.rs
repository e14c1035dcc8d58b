//! Operations for public rooms.

use super::{builder::Reference, examples, operation::text};
use crate::view::ChatView;

const TAG: &str = "Rooms";

pub(crate) fn describe(reference: &mut Reference) {
    reference.api(TAG, "rooms/").get("listRooms", "Public rooms", |operation| {
        operation
            .description("Newest first. A search without `object_id` finds up to 1,000 rooms, which also bounds `count`.")
            .paged(10)
            .query("search", text(), "Words to find in the title.")
            .matches()
            .query("object_type", text(), "Rooms on such objects only.")
            .query("object_id", text(), "Rooms on such objects only.")
            .answers_page::<ChatView>("A page of rooms.", examples::room())
    });
    reference.api(TAG, "chats/{chat}/join/").post("joinRoom", "Join a public room", |operation| {
        operation
            .description(
                "The caller becomes a plain member, for whom all earlier messages count as read. 404 if the chat is not a public \
                 room, 400 if the caller has created or joined too many chats.",
            )
            .answers::<ChatView>(200, "The room, even if the caller was a member already.", examples::room())
            .errors(&[400])
    });
    reference.api(TAG, "chats/{chat}/leave/").post("leaveChat", "Leave a room or a group", |operation| {
        operation
            .description(
                "When the last active admin leaves, the longest-standing active member becomes admin.",
            )
            .answers_nothing(204, "Left.")
            .errors(&[400])
    });
}
