//! A subscription to the messages of a channel.

use std::sync::Arc;

use super::{Bus, channels::Channel};

/// Subscribes this node to the messages of a channel while it exists.
#[derive(Debug)]
pub struct Listening {
    bus: Arc<Bus>,
    channel: Channel,
}

impl Listening {
    pub(super) fn new(bus: Arc<Bus>, channel: Channel) -> Self {
        Self { bus, channel }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.bus.unlisten(self.channel);
    }
}
