//! What a node makes of the news of others, and how it finds what it was not told.

mod reconcile;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    auth::{Failures, Identities},
    bus::{Bus, News, NodeId},
    chat::ChatDirectory,
    presence::{Presence, Turn},
};

pub use reconcile::{Reconciler, compare, compare_chats, compare_chats_of};

/// What the news of other nodes concerns here.
pub struct Inbound {
    pub directory: Arc<ChatDirectory>,
    pub presence: Arc<Presence>,
    pub identities: Arc<Identities>,
    pub failures: Arc<Failures>,
    pub bus: Arc<Bus>,
    pub reconciler: Arc<Reconciler>,
}

/// Takes in what other nodes tell, for as long as the server runs.
pub async fn listen(inbound: Inbound, mut heard: mpsc::Receiver<(NodeId, News)>) {
    while let Some((from, news)) = heard.recv().await {
        take_in(&inbound, from, news);
    }
}

fn take_in(inbound: &Inbound, from: NodeId, news: News) {
    match news {
        News::Happened(event) => inbound.directory.learn(event),
        News::Typing { chat, user, is_typing } => inbound.directory.learn_typing(chat, user, is_typing),
        News::Marked { chat, moved } => inbound.directory.learn_marker(chat, moved),
        News::Recheck(user) => {
            let (identities, reconciler) = (inbound.identities.clone(), inbound.reconciler.clone());
            // What cannot be looked at now is looked at when the database tells of it.
            actix_rt::spawn(async move {
                identities.recheck_here(user).await;
                let _ = compare_chats_of(&reconciler, user).await;
            });
        }
        News::SignInFailed { address, account } => inbound.failures.heard(address, account),
        News::Told { user, frame } => inbound.presence.note(Turn::Told(user, frame.into())),
        News::Presence(news) => inbound.presence.note(Turn::Elsewhere(from, news)),
        News::Lost => inbound.bus.doubt(),
    }
}
