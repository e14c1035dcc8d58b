//! Handover of the chats of a deactivated user.

use crate::{
    cluster,
    core::model::{Refusal, UserId},
    state::AppState,
    storage::{AnyConn, StoragePolicy, commands::succession},
};

/// Hands over the chats that a user has left without an active admin. Then reconciles the user's chats, to
/// publish handovers that another process has stored.
pub async fn hand_over_chats_of(state: &AppState, user: UserId) -> Result<(), Refusal> {
    if state.readers.query_one(succession::left).await?.contains(&user) {
        let step = move |conn: &mut AnyConn, _: &StoragePolicy| succession::step(conn, Some(user));
        while state.writer.run("hand_over_chats", step).await? {}
    }
    cluster::compare_chats_of(&state.reconciler, user).await
}
