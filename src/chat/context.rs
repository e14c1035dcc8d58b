//! What a chat's actor works with, and what it asks of the directory that started it.

use std::{sync::Arc, time::Duration};

use super::mailbox::{ChatMessage, Settled};
use crate::{
    bus::Bus,
    core::model::ChatId,
    hub::{ChatMeter, registry::UserRegistry},
    presence::Presence,
    storage::{Readers, Rules, WriterHandle},
    view::Links,
};

/// What chat actors work with.
pub struct Services {
    pub writer: WriterHandle,
    pub readers: Readers,
    pub registry: Arc<UserRegistry>,
    pub presence: Arc<Presence>,
    pub bus: Arc<Bus>,
    pub rules: Rules,
    pub links: Links,
    pub meter: Option<Arc<ChatMeter>>,
    /// An actor that nothing was asked of for so long, and that nobody listens to, retires.
    pub idle: Duration,
}

/// The chats of this node, as an actor asks for them.
pub trait Chats: Send + Sync {
    /// Puts a message into the mailbox of a chat's actor. Messages from one thread arrive in the order sent.
    fn send(self: Arc<Self>, chat: ChatId, message: ChatMessage);

    /// Gives a chat's actor what the writer has settled, once the chat itself is known.
    fn settled(self: Arc<Self>, chat: ChatId, settled: Settled);

    /// Lets an idle actor go, if nothing is on its way to it. It is not in the directory afterwards, so nothing can
    /// be sent to it any more, and the next message for the chat starts another.
    fn retire(&self, chat: ChatId) -> bool;
}
