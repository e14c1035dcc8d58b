//! The sockets that observe a public room without being members.

use std::{collections::HashMap, sync::Arc};

use crate::hub::subscriber::{Subscriber, SubscriberId};

/// Observers of a room. Guests among them may also read its messages, so they are counted: most rooms have none.
#[derive(Debug, Default)]
pub(super) struct Observers {
    sockets: HashMap<SubscriberId, Arc<Subscriber>>,
    guests: usize,
}

impl Observers {
    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    pub(super) fn has_guests(&self) -> bool {
        self.guests > 0
    }

    pub(super) fn insert(&mut self, socket: Arc<Subscriber>) {
        let is_guest = socket.is_guest;
        if self.sockets.insert(socket.id, socket).is_none() {
            self.guests += usize::from(is_guest);
        }
    }

    pub(super) fn remove(&mut self, id: SubscriberId) {
        if let Some(socket) = self.sockets.remove(&id) {
            self.guests -= usize::from(socket.is_guest);
        }
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&Subscriber) -> bool) {
        self.sockets.retain(|_, socket| is_kept(socket));
        self.guests = self.guests().count();
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Subscriber>> {
        self.sockets.values()
    }

    pub(super) fn guests(&self) -> impl Iterator<Item = &Arc<Subscriber>> {
        self.all().filter(|socket| socket.is_guest)
    }

    /// Removes all observers and returns them.
    pub(super) fn drain(&mut self) -> Vec<Arc<Subscriber>> {
        self.guests = 0;
        self.sockets.drain().map(|(_, socket)| socket).collect()
    }
}
