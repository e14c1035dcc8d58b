//! How far a client says that it has heard, and where a socket begins.

use std::{collections::VecDeque, sync::Arc};

use actix_web::web::Data;

use super::client_frame::Resume;
use crate::{
    chat::Socket,
    core::model::{Refusal, UserId},
    feed::{self, Heads, Only},
    state::State,
};

/// How far the client has heard, while it tells so and until it is caught up with.
#[derive(Default)]
pub(super) struct Resuming {
    /// From the parts so far.
    pub(super) known: Heads,
    /// Whole ones that wait for their turn, each with its last part, which is answered.
    pub(super) whole: VecDeque<(Heads, Resume)>,
    pub(super) is_under_way: bool,
    /// Looks so far.
    pub(super) looks: u32,
}

/// Where a socket begins: how far its chats have come, and who is there.
pub(super) async fn start(
    state: Data<State>,
    socket: Arc<Socket>,
    only: Only,
) -> Result<(Heads, Vec<UserId>), Refusal> {
    let heads = feed::subscribe(&state.feed, &socket, &only).await?;
    let users_online = state.presence.partners_of(socket.user).await?;
    Ok((heads, users_online))
}
