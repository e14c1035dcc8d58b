//! Public rooms.

use super::{builder::Reference, examples, operation::text};
use crate::view::ChatView;

const TAG: &str = "Rooms";

pub(crate) fn describe(reference: &mut Reference) {
    reference.api(TAG, "rooms/").get("listRooms", "Public rooms", |operation| {
        operation
            .says("The newest first. A search without `object_id` finds up to 1,000, of which `count` tells no more.")
            .paged(10)
            .query("search", text(), "Words that are in the title.")
            .matches()
            .query("object_type", text(), "Rooms on such objects only.")
            .query("object_id", text(), "Rooms on such objects only.")
            .answers_page::<ChatView>("A page of rooms.", examples::room())
    });
    reference.api(TAG, "chats/{chat}/join/").post("joinRoom", "Join a public room", |operation| {
        operation
            .says(
                "As a plain member with everything read. 404 for a chat that is no public room, 400 for \
                 who has made or joined too many chats.",
            )
            .answers::<ChatView>(200, "The room, also where the caller was in it already.", examples::room())
            .refuses(&[400])
    });
    reference.api(TAG, "chats/{chat}/leave/").post("leaveChat", "Leave a room or a group", |operation| {
        operation
            .says("When the last active admin goes, the longest-standing active member becomes admin.")
            .answers_nothing(204, "Left.")
            .refuses(&[400])
    });
}
