//! The channels of this node: chats are hashed to slots, and the node subscribes to a slot while a chat of it
//! has an actor here.

use std::collections::HashMap;

use tokio::sync::mpsc;

use crate::core::model::ChatId;

/// Number of slots. Redis Cluster has as many.
const SLOTS: i64 = 16_384;

/// A slot of chats, which share a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Slot(i64);

impl Slot {
    /// A slot without chats, to verify the permission to unsubscribe.
    pub(super) const EMPTY: Self = Self(-1);

    /// Returns the slot of a chat.
    pub(super) fn of(chat: ChatId) -> Self {
        Self(chat.0.rem_euclid(SLOTS))
    }

    /// Returns the number of the slot, for the name of its channel.
    pub(super) fn number(self) -> i64 {
        self.0
    }

    /// Returns the slot with this number.
    pub(super) fn parse(number: &str) -> Option<Self> {
        number.parse().ok().map(Self)
    }
}

/// The slots that this node subscribes to.
#[derive(Debug, Default)]
pub(super) struct Channels {
    slots: HashMap<Slot, Subscription>,
    /// Slots that wait to be subscribed.
    to_open: Vec<Slot>,
}

#[derive(Debug, Default)]
struct Subscription {
    /// Number of actors of its chats.
    actors: usize,
    status: Status,
    /// Dropped once the subscription is active.
    waiting: Vec<mpsc::Sender<()>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Status {
    #[default]
    Closed,
    Open,
    /// Open, and without actors at the last sweep.
    Idle,
    /// The request to unsubscribe is under way.
    Closing,
}

impl Channels {
    /// Counts an actor of a slot. Returns whether the slot is to be subscribed.
    pub(super) fn add(&mut self, slot: Slot) -> bool {
        let subscription = self.slots.entry(slot).or_default();
        subscription.actors += 1;
        let is_new = subscription.actors == 1 && subscription.status == Status::Closed;
        if is_new {
            self.to_open.push(slot);
        }
        is_new
    }

    /// Counts an actor of a slot out.
    pub(super) fn remove(&mut self, slot: Slot) {
        if let Some(subscription) = self.slots.get_mut(&slot) {
            subscription.actors = subscription.actors.saturating_sub(1);
        }
    }

    /// Whether messages of a slot arrive here.
    pub(super) fn is_open(&self, slot: Slot) -> bool {
        let subscription = self.slots.get(&slot);
        subscription.is_some_and(|subscription| matches!(subscription.status, Status::Open | Status::Idle))
    }

    /// Drops `done` once messages of a slot arrive here.
    pub(super) fn once_open(&mut self, slot: Slot, done: mpsc::Sender<()>) {
        if !self.is_open(slot)
            && let Some(subscription) = self.slots.get_mut(&slot)
        {
            subscription.waiting.push(done);
        }
    }

    /// Returns up to `most` slots to subscribe now.
    pub(super) fn take_to_open(&mut self, most: usize) -> Vec<Slot> {
        self.to_open.split_off(self.to_open.len().saturating_sub(most))
    }

    /// Returns whether slots wait to be subscribed.
    pub(super) fn has_to_open(&self) -> bool {
        !self.to_open.is_empty()
    }

    /// Notes that slots are subscribed.
    pub(super) fn opened(&mut self, slots: &[Slot]) {
        for slot in slots {
            if let Some(subscription) = self.slots.get_mut(slot) {
                subscription.status = Status::Open;
                subscription.waiting.clear();
            }
        }
    }

    /// Returns the slots to unsubscribe: those without actors at this sweep and at the one before.
    pub(super) fn sweep(&mut self) -> Vec<Slot> {
        let mut idle = Vec::new();
        for (slot, subscription) in &mut self.slots {
            match subscription.status {
                Status::Idle if subscription.actors > 0 => subscription.status = Status::Open,
                Status::Idle => {
                    subscription.status = Status::Closing;
                    idle.push(*slot);
                }
                Status::Open if subscription.actors == 0 => subscription.status = Status::Idle,
                Status::Open | Status::Closed | Status::Closing => {}
            }
        }
        idle
    }

    /// Notes that slots are unsubscribed. Those that are needed again wait to be subscribed.
    pub(super) fn closed(&mut self, slots: &[Slot]) {
        for slot in slots {
            if let Some(subscription) = self.slots.get_mut(slot) {
                subscription.status = Status::Closed;
                if subscription.actors > 0 {
                    self.to_open.push(*slot);
                } else {
                    self.slots.remove(slot);
                }
            }
        }
    }

    /// Whether this node asked for the end of a slot's subscription.
    pub(super) fn is_closing(&self, slot: Slot) -> bool {
        self.slots.get(&slot).is_none_or(|subscription| subscription.status == Status::Closing)
    }

    /// Notes that the connection is lost. All slots with actors wait to be subscribed again. What waited for
    /// a subscription continues: this node compares with storage until it is connected.
    pub(super) fn reset(&mut self) {
        self.slots.retain(|_, subscription| subscription.actors > 0);
        for subscription in self.slots.values_mut() {
            subscription.status = Status::Closed;
            subscription.waiting.clear();
        }
        self.to_open = self.slots.keys().copied().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot(7);

    fn is_waiting(receiver: &mut mpsc::Receiver<()>) -> bool {
        receiver.try_recv() == Err(mpsc::error::TryRecvError::Empty)
    }

    fn wait(channels: &mut Channels) -> mpsc::Receiver<()> {
        let (done, receiver) = mpsc::channel(1);
        channels.once_open(SLOT, done);
        receiver
    }

    #[test]
    fn a_subscriber_waits_until_its_slot_is_open() {
        let mut channels = Channels::default();
        assert!(channels.add(SLOT));
        let mut early = wait(&mut channels);
        assert!(is_waiting(&mut early));
        assert_eq!(channels.take_to_open(9), [SLOT]);
        assert!(is_waiting(&mut early) && !channels.is_open(SLOT));
        channels.opened(&[SLOT]);
        assert!(!is_waiting(&mut early) && channels.is_open(SLOT));
        assert!(!is_waiting(&mut wait(&mut channels)));
        assert!(!channels.add(SLOT) && !channels.has_to_open());
    }

    #[test]
    fn a_slot_is_closed_late_and_opened_again_if_it_is_needed_meanwhile() {
        let mut channels = Channels::default();
        channels.add(SLOT);
        channels.take_to_open(9);
        channels.opened(&[SLOT]);
        channels.remove(SLOT);
        assert!(channels.sweep().is_empty() && channels.is_open(SLOT));
        // An actor that comes back keeps it open.
        channels.add(SLOT);
        assert!(channels.sweep().is_empty() && channels.sweep().is_empty());
        channels.remove(SLOT);
        assert!(channels.sweep().is_empty());
        assert_eq!(channels.sweep(), [SLOT]);
        assert!(channels.is_closing(SLOT) && !channels.is_open(SLOT));
        // One that comes while the request is under way waits for the next subscription.
        channels.add(SLOT);
        let mut late = wait(&mut channels);
        assert!(!channels.has_to_open());
        channels.closed(&[SLOT]);
        assert!(is_waiting(&mut late));
        assert_eq!(channels.take_to_open(9), [SLOT]);
        channels.opened(&[SLOT]);
        assert!(!is_waiting(&mut late));
    }

    #[test]
    fn a_lost_connection_opens_all_slots_with_actors_again() {
        let mut channels = Channels::default();
        let idle = Slot(8);
        for slot in [SLOT, idle] {
            channels.add(slot);
        }
        channels.take_to_open(9);
        channels.opened(&[idle]);
        channels.remove(idle);
        let mut waiting = wait(&mut channels);
        channels.reset();
        assert!(!is_waiting(&mut waiting));
        assert_eq!(channels.take_to_open(9), [SLOT]);
        assert!(!channels.is_open(SLOT) && channels.is_closing(idle));
    }
}
