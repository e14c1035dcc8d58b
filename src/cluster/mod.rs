//! Handling of messages from other nodes, and reconciliation with storage for messages that were lost.

mod reconcile;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    auth::{IdentityCache, LoginThrottle},
    bus::{Bus, BusMessage, NodeId},
    chat::ChatDirectory,
    chat::TypingSignal,
    presence::{Presence, PresenceChange},
};

pub use reconcile::{Reconciler, compare, compare_chats, compare_chats_of};

/// The parts of a node that messages from other nodes are applied to.
pub struct Inbound {
    pub directory: Arc<ChatDirectory>,
    pub presence: Arc<Presence>,
    pub identities: Arc<IdentityCache>,
    pub login_throttle: Arc<LoginThrottle>,
    pub bus: Arc<Bus>,
    pub reconciler: Arc<Reconciler>,
}

/// Applies messages from other nodes until the server shuts down.
pub async fn listen(inbound: Inbound, mut messages: mpsc::Receiver<(NodeId, BusMessage)>) {
    while let Some((from, message)) = messages.recv().await {
        apply(&inbound, from, message);
    }
}

fn apply(inbound: &Inbound, from: NodeId, message: BusMessage) {
    match message {
        BusMessage::Event(event) => inbound.directory.apply_remote_event(event),
        BusMessage::Typing { chat, user, is_typing, thread } => {
            inbound.directory.apply_remote_typing(chat, TypingSignal { user, thread, is_typing });
        }
        BusMessage::Marked { chat, moved } => inbound.directory.apply_remote_marker(chat, moved),
        BusMessage::Drafted(changed) => inbound.directory.apply_remote_draft(&changed),
        BusMessage::Invalidate(user) => {
            let (identities, reconciler) = (inbound.identities.clone(), inbound.reconciler.clone());
            // A failed check is repeated when the change is read from the database.
            actix_rt::spawn(async move {
                identities.invalidate_here(user).await;
                let _ = compare_chats_of(&reconciler, user).await;
            });
        }
        BusMessage::SignInFailed { address, account } => {
            inbound.login_throttle.count_remote(address, account);
        }
        BusMessage::ForPartners { user, frame } => {
            inbound.presence.note(PresenceChange::ProfileChanged(user, frame.into()));
        }
        BusMessage::Presence(message) => inbound.presence.note(PresenceChange::RemotePresence(from, message)),
        BusMessage::Lost => inbound.bus.request_reconcile(),
    }
}
