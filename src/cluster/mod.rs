//! What a node makes of the news of others, and how it finds what it was not told.

mod compare;

use actix_web::web::Data;
use tokio::sync::mpsc;

use crate::{
    bus::{News, NodeId},
    presence::Turn,
    server::State,
};

pub use compare::{compare, compare_chats, compare_chats_of};

/// Takes in what other nodes tell, for as long as the server runs.
pub async fn listen(state: Data<State>, mut heard: mpsc::Receiver<(NodeId, News)>) {
    while let Some((from, news)) = heard.recv().await {
        take_in(&state, from, news);
    }
}

fn take_in(state: &Data<State>, from: NodeId, news: News) {
    match news {
        News::Happened(event) => state.directory.learn(event),
        News::Typing { chat, user, is_typing } => state.directory.learn_typing(chat, user, is_typing),
        News::Marked { chat, moved } => state.directory.learn_marker(chat, moved),
        News::Recheck(user) => {
            let state = state.clone();
            // What cannot be looked at now is looked at when the database tells of it.
            actix_rt::spawn(async move {
                state.identities.recheck_here(user).await;
                let _ = compare_chats_of(&state, user).await;
            });
        }
        News::SignInFailed { address, account } => state.failures.heard(address, account),
        News::Told { user, frame } => state.presence.note(Turn::Told(user, frame.into())),
        News::Presence(news) => state.presence.note(Turn::Elsewhere(from, news)),
        News::Lost => state.bus.doubt(),
    }
}
