//! A subscription to the messages of a chat.

use std::sync::Arc;

use super::Bus;
use crate::core::model::ChatId;

/// Subscribes this node to the messages of a chat while it exists.
#[derive(Debug)]
pub struct Listening {
    bus: Arc<Bus>,
    chat: ChatId,
}

impl Listening {
    pub(super) fn new(bus: Arc<Bus>, chat: ChatId) -> Self {
        Self { bus, chat }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.bus.unlisten(self.chat);
    }
}
