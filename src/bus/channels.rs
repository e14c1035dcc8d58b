//! The channels of this node: one for each chat that has subscribers here.

use std::collections::{HashMap, VecDeque};

use tokio::sync::mpsc;

use crate::core::model::ChatId;

/// The chats whose channels this node subscribes to.
#[derive(Debug, Default)]
pub(super) struct Channels {
    chats: HashMap<ChatId, Subscription>,
    /// Chats whose channels wait to be subscribed, in order.
    to_open: VecDeque<ChatId>,
}

#[derive(Debug, Default)]
struct Subscription {
    /// Number of its actors: during shutdown there may be two.
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
    /// Counts an actor of a chat. Returns whether its channel is to be subscribed.
    pub(super) fn add(&mut self, chat: ChatId) -> bool {
        let subscription = self.chats.entry(chat).or_default();
        subscription.actors += 1;
        let is_new = subscription.actors == 1 && subscription.status == Status::Closed;
        if is_new {
            self.to_open.push_back(chat);
        }
        is_new
    }

    /// Counts an actor of a chat out.
    pub(super) fn remove(&mut self, chat: ChatId) {
        if let Some(subscription) = self.chats.get_mut(&chat) {
            subscription.actors = subscription.actors.saturating_sub(1);
        }
    }

    /// Whether messages of a chat arrive here.
    pub(super) fn is_open(&self, chat: ChatId) -> bool {
        let subscription = self.chats.get(&chat);
        subscription.is_some_and(|subscription| matches!(subscription.status, Status::Open | Status::Idle))
    }

    /// Drops `done` once messages of a chat arrive here.
    pub(super) fn once_open(&mut self, chat: ChatId, done: mpsc::Sender<()>) {
        if !self.is_open(chat)
            && let Some(subscription) = self.chats.get_mut(&chat)
        {
            subscription.waiting.push(done);
        }
    }

    /// Returns up to `most` chats to subscribe now.
    pub(super) fn take_to_open(&mut self, most: usize) -> Vec<ChatId> {
        self.to_open.drain(..most.min(self.to_open.len())).collect()
    }

    /// Returns whether chats wait to be subscribed.
    pub(super) fn has_to_open(&self) -> bool {
        !self.to_open.is_empty()
    }

    /// Notes that chats are subscribed.
    pub(super) fn opened(&mut self, chats: &[ChatId]) {
        for chat in chats {
            if let Some(subscription) = self.chats.get_mut(chat) {
                subscription.status = Status::Open;
                subscription.waiting.clear();
            }
        }
    }

    /// Returns up to `most` chats to unsubscribe: those without actors at this sweep and at the one before.
    pub(super) fn sweep(&mut self, most: usize) -> Vec<ChatId> {
        let mut idle = Vec::new();
        for (chat, subscription) in &mut self.chats {
            match subscription.status {
                Status::Idle if subscription.actors > 0 => subscription.status = Status::Open,
                Status::Idle if idle.len() < most => {
                    subscription.status = Status::Closing;
                    idle.push(*chat);
                }
                Status::Open if subscription.actors == 0 => subscription.status = Status::Idle,
                _ => {}
            }
        }
        idle
    }

    /// Notes that chats are unsubscribed. Those that are needed again wait to be subscribed.
    pub(super) fn closed(&mut self, chats: &[ChatId]) {
        for chat in chats {
            if let Some(subscription) = self.chats.get_mut(chat) {
                subscription.status = Status::Closed;
                if subscription.actors > 0 {
                    self.to_open.push_back(*chat);
                } else {
                    self.chats.remove(chat);
                }
            }
        }
    }

    /// Notes that the connection is lost. All chats with actors wait to be subscribed again. What waited for
    /// a subscription continues: this node compares with storage until it is connected.
    pub(super) fn reset(&mut self) {
        self.chats.retain(|_, subscription| subscription.actors > 0);
        for subscription in self.chats.values_mut() {
            subscription.status = Status::Closed;
            subscription.waiting.clear();
        }
        self.to_open = self.chats.keys().copied().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: ChatId = ChatId(7);

    fn is_waiting(receiver: &mut mpsc::Receiver<()>) -> bool {
        receiver.try_recv() == Err(mpsc::error::TryRecvError::Empty)
    }

    fn wait(channels: &mut Channels) -> mpsc::Receiver<()> {
        let (done, receiver) = mpsc::channel(1);
        channels.once_open(CHAT, done);
        receiver
    }

    #[test]
    fn a_subscriber_waits_until_its_chat_is_open() {
        let mut channels = Channels::default();
        assert!(channels.add(CHAT));
        let mut early = wait(&mut channels);
        assert!(is_waiting(&mut early));
        assert_eq!(channels.take_to_open(9), [CHAT]);
        assert!(is_waiting(&mut early) && !channels.is_open(CHAT));
        channels.opened(&[CHAT]);
        assert!(!is_waiting(&mut early) && channels.is_open(CHAT));
        assert!(!is_waiting(&mut wait(&mut channels)));
        assert!(!channels.add(CHAT) && !channels.has_to_open());
    }

    #[test]
    fn a_chat_is_closed_late_and_opened_again_if_it_is_needed_meanwhile() {
        let mut channels = Channels::default();
        channels.add(CHAT);
        channels.take_to_open(9);
        channels.opened(&[CHAT]);
        channels.remove(CHAT);
        assert!(channels.sweep(9).is_empty() && channels.is_open(CHAT));
        // An actor that comes back keeps it open.
        channels.add(CHAT);
        assert!(channels.sweep(9).is_empty() && channels.sweep(9).is_empty());
        channels.remove(CHAT);
        assert!(channels.sweep(9).is_empty());
        assert_eq!(channels.sweep(9), [CHAT]);
        assert!(!channels.is_open(CHAT));
        // One that comes while the request is under way waits for the next subscription.
        channels.add(CHAT);
        let mut late = wait(&mut channels);
        assert!(!channels.has_to_open());
        channels.closed(&[CHAT]);
        assert!(is_waiting(&mut late));
        assert_eq!(channels.take_to_open(9), [CHAT]);
        channels.opened(&[CHAT]);
        assert!(!is_waiting(&mut late));
    }

    #[test]
    fn a_lost_connection_opens_all_chats_with_actors_again() {
        let mut channels = Channels::default();
        let idle = ChatId(8);
        for chat in [CHAT, idle] {
            channels.add(chat);
        }
        channels.take_to_open(9);
        channels.opened(&[idle]);
        channels.remove(idle);
        let mut waiting = wait(&mut channels);
        channels.reset();
        assert!(!is_waiting(&mut waiting));
        assert_eq!(channels.take_to_open(9), [CHAT]);
        assert!(!channels.is_open(CHAT) && !channels.is_open(idle));
    }
}
