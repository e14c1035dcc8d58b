//! The dependencies of chat actors, and the interface of the directory that starts them.

use std::{sync::Arc, time::Duration};

use super::mailbox::{ChatMessage, Settled};
use crate::{
    bus::Bus,
    core::model::ChatId,
    hub::{ChatMeter, registry::Hub},
    presence::Presence,
    storage::{ReadPool, StoragePolicy, WriterHandle},
    view::Links,
};

/// Dependencies shared by all chat actors of a node.
pub struct Services {
    pub writer: WriterHandle,
    pub readers: ReadPool,
    pub hub: Arc<Hub>,
    pub presence: Arc<Presence>,
    pub bus: Arc<Bus>,
    pub policy: StoragePolicy,
    pub links: Links,
    pub meter: Option<Arc<ChatMeter>>,
    /// Idle timeout: an actor without messages, subscribers and observers for this long retires.
    pub idle: Duration,
}

/// The directory as seen by an actor: sends messages to chats of this node, retires idle actors.
pub trait Chats: Send + Sync {
    /// Puts a message into the mailbox of a chat's actor. Messages from one thread arrive in the order sent.
    fn send(self: Arc<Self>, chat: ChatId, message: ChatMessage);

    /// Sends the writer's result to the chat's actor. While the chat's creation is pending, the result is
    /// buffered.
    fn settled(self: Arc<Self>, chat: ChatId, settled: Settled);

    /// Removes an idle actor from the directory if its mailbox is empty; returns whether it did. Nothing can
    /// be sent to it afterwards: the next message for the chat starts a new actor.
    fn retire(&self, chat: ChatId) -> bool;
}
