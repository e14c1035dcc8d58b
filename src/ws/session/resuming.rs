//! State of a socket's `resume` requests, and its initial subscription.

use std::{collections::VecDeque, sync::Arc};

use actix_web::web::Data;

use crate::{
    core::model::{Refusal, UserId},
    feed::{self, Heads, Only},
    hub::Subscriber,
    state::AppState,
    ws::client_frame::Resume,
};

/// State of `resume` requests: parts being collected, and complete ones waiting.
#[derive(Default)]
pub(crate) struct Resuming {
    /// The last `seq` of each chat, from the parts received so far.
    pub(crate) known: Heads,
    /// Complete requests waiting for their catch-up, each with its last part, which is answered.
    pub(crate) whole: VecDeque<(Heads, Resume)>,
    pub(crate) is_under_way: bool,
    /// Rounds of the current catch-up so far.
    pub(crate) rounds: u32,
}

/// Subscribes a socket. Returns the `seq` of its chats, and its online dm partners.
pub(crate) async fn start(
    state: Data<AppState>,
    socket: Arc<Subscriber>,
    only: Only,
) -> Result<(Heads, Vec<UserId>), Refusal> {
    let heads = feed::subscribe(&state.feed, &socket, &only).await?;
    let users_online = state.presence.partners_of(socket.user).await?;
    Ok((heads, users_online))
}
