//! The channels that this node subscribes to: one for each chat that has subscribers here, and one for each
//! user connected here.

use std::{
    collections::{HashMap, VecDeque},
    fmt::{self, Display, Formatter},
};

use tokio::sync::mpsc;

use crate::core::model::{ChatId, UserId};

/// What a channel is about, and so which nodes subscribe to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// All nodes.
    All,
    /// Nodes with subscribers of the chat.
    Chat(ChatId),
    /// Nodes that the user is connected to.
    User(UserId),
}

impl Channel {
    /// Parses the end of a channel's name in Redis. `None`: the channel for all nodes, or of another program.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (rest, number) = name.rsplit_once(':')?;
        let number = number.parse().ok()?;
        match rest.rsplit_once(':')?.1 {
            "chat" => Some(Self::Chat(ChatId(number))),
            "user" => Some(Self::User(UserId(number))),
            _ => None,
        }
    }
}

impl Display for Channel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Chat(chat) => write!(f, "chat:{}", chat.0),
            Self::User(user) => write!(f, "user:{}", user.0),
        }
    }
}

/// The channels that this node subscribes to, besides the one for all nodes.
#[derive(Debug, Default)]
pub(super) struct Channels {
    subscriptions: HashMap<Channel, Subscription>,
    /// Channels that wait to be subscribed, in order.
    to_open: VecDeque<Channel>,
}

#[derive(Debug, Default)]
struct Subscription {
    /// Number of its listeners: during shutdown a chat may have two actors.
    listeners: usize,
    status: Status,
    /// Dropped once the subscription is active.
    waiting: Vec<mpsc::Sender<()>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Status {
    #[default]
    Closed,
    Open,
    /// Open, and without listeners at the last sweep.
    Idle,
    /// The request to unsubscribe is under way.
    Closing,
}

impl Channels {
    /// Counts a listener of a channel. Returns whether the channel is to be subscribed.
    pub(super) fn add(&mut self, channel: Channel) -> bool {
        let subscription = self.subscriptions.entry(channel).or_default();
        subscription.listeners += 1;
        let is_new = subscription.listeners == 1 && subscription.status == Status::Closed;
        if is_new {
            self.to_open.push_back(channel);
        }
        is_new
    }

    /// Counts a listener of a channel out.
    pub(super) fn remove(&mut self, channel: Channel) {
        if let Some(subscription) = self.subscriptions.get_mut(&channel) {
            subscription.listeners = subscription.listeners.saturating_sub(1);
        }
    }

    /// Whether messages of a channel arrive here.
    pub(super) fn is_open(&self, channel: Channel) -> bool {
        let subscription = self.subscriptions.get(&channel);
        subscription.is_some_and(|subscription| matches!(subscription.status, Status::Open | Status::Idle))
    }

    /// Drops `done` once messages of a channel arrive here.
    pub(super) fn once_open(&mut self, channel: Channel, done: mpsc::Sender<()>) {
        if !self.is_open(channel)
            && let Some(subscription) = self.subscriptions.get_mut(&channel)
        {
            subscription.waiting.push(done);
        }
    }

    /// Returns up to `most` channels to subscribe now.
    pub(super) fn take_to_open(&mut self, most: usize) -> Vec<Channel> {
        self.to_open.drain(..most.min(self.to_open.len())).collect()
    }

    /// Returns whether channels wait to be subscribed.
    pub(super) fn has_to_open(&self) -> bool {
        !self.to_open.is_empty()
    }

    /// Notes that channels are subscribed.
    pub(super) fn opened(&mut self, channels: &[Channel]) {
        for channel in channels {
            if let Some(subscription) = self.subscriptions.get_mut(channel) {
                subscription.status = Status::Open;
                subscription.waiting.clear();
            }
        }
    }

    /// Returns up to `most` channels to unsubscribe: those without listeners at this sweep and at the one before.
    pub(super) fn sweep(&mut self, most: usize) -> Vec<Channel> {
        let mut idle = Vec::new();
        for (channel, subscription) in &mut self.subscriptions {
            match subscription.status {
                Status::Idle if subscription.listeners > 0 => subscription.status = Status::Open,
                Status::Idle if idle.len() < most => {
                    subscription.status = Status::Closing;
                    idle.push(*channel);
                }
                Status::Open if subscription.listeners == 0 => subscription.status = Status::Idle,
                _ => {}
            }
        }
        idle
    }

    /// Notes that channels are unsubscribed. Those that are needed again wait to be subscribed.
    pub(super) fn closed(&mut self, channels: &[Channel]) {
        for channel in channels {
            if let Some(subscription) = self.subscriptions.get_mut(channel) {
                subscription.status = Status::Closed;
                if subscription.listeners > 0 {
                    self.to_open.push_back(*channel);
                } else {
                    self.subscriptions.remove(channel);
                }
            }
        }
    }

    /// Notes that the connection is lost. All channels with listeners wait to be subscribed again. What waited for
    /// a subscription continues: this node compares with storage until it is connected.
    pub(super) fn reset(&mut self) {
        self.subscriptions.retain(|_, subscription| subscription.listeners > 0);
        for subscription in self.subscriptions.values_mut() {
            subscription.status = Status::Closed;
            subscription.waiting.clear();
        }
        self.to_open = self.subscriptions.keys().copied().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Channel = Channel::Chat(ChatId(7));

    fn is_waiting(receiver: &mut mpsc::Receiver<()>) -> bool {
        receiver.try_recv() == Err(mpsc::error::TryRecvError::Empty)
    }

    fn wait(channels: &mut Channels) -> mpsc::Receiver<()> {
        let (done, receiver) = mpsc::channel(1);
        channels.once_open(CHAT, done);
        receiver
    }

    #[test]
    fn channels_are_parsed_by_their_names() {
        for channel in [CHAT, Channel::User(UserId(8))] {
            assert_eq!(Channel::parse(&format!("greenroom:a1:{channel}")), Some(channel));
        }
        for other in [&*format!("greenroom:a1:{}", Channel::All), "user:8", "greenroom:a1:room:8", ""] {
            assert_eq!(Channel::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_listener_waits_until_its_channel_is_open() {
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
    fn a_channel_is_closed_late_and_opened_again_if_it_is_needed_meanwhile() {
        let mut channels = Channels::default();
        channels.add(CHAT);
        channels.take_to_open(9);
        channels.opened(&[CHAT]);
        channels.remove(CHAT);
        assert!(channels.sweep(9).is_empty() && channels.is_open(CHAT));
        // A new listener keeps it open.
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
    fn a_lost_connection_opens_all_channels_with_listeners_again() {
        let mut channels = Channels::default();
        // A chat and a user may have the same number.
        let idle = Channel::User(UserId(7));
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
