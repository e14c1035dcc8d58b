//! Handing over the chats of who is shut out.

use crate::{
    cluster,
    core::model::{Refusal, UserId},
    state::State,
    storage::{AnyConn, Rules, commands::succession},
};

/// Hands over what a user has left without an active admin, and tells what another process has handed over.
pub async fn hand_over_chats_of(state: &State, user: UserId) -> Result<(), Refusal> {
    if state.readers.ask_one(succession::left).await?.contains(&user) {
        let step = move |conn: &mut AnyConn, _: &Rules| succession::step(conn, Some(user));
        while state.writer.run("hand_over_chats", step).await? {}
    }
    cluster::compare_chats_of(&state.reconciler, user).await
}
