//! How far a client says that it has heard, and where a socket begins.

use std::{collections::VecDeque, sync::Arc};

use actix_web::web::Data;

use crate::{
    core::model::{Refusal, UserId},
    feed::{self, Heads, Only},
    hub::Socket,
    state::State,
    ws::client_frame::Resume,
};

/// How far the client has heard, while it tells so and until it is caught up with.
#[derive(Default)]
pub(crate) struct Resuming {
    /// From the parts so far.
    pub(crate) known: Heads,
    /// Whole ones that wait for their turn, each with its last part, which is answered.
    pub(crate) whole: VecDeque<(Heads, Resume)>,
    pub(crate) is_under_way: bool,
    /// Looks so far.
    pub(crate) looks: u32,
}

/// Where a socket begins: how far its chats have come, and who is there.
pub(crate) async fn start(
    state: Data<State>,
    socket: Arc<Socket>,
    only: Only,
) -> Result<(Heads, Vec<UserId>), Refusal> {
    let heads = feed::subscribe(&state.feed, &socket, &only).await?;
    let users_online = state.presence.partners_of(socket.user).await?;
    Ok((heads, users_online))
}
