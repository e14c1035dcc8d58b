//! Messages between nodes.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::channels::Channel;
use crate::core::{
    model::{ChatId, DraftChanged, Event, MessageId, Timestamp, UserId, event::MarkerMoved},
    secrets,
};

/// Most channels that a message is published on. One that needs more reaches all nodes instead.
const MAX_CHANNELS: usize = 16;

/// Identifies a running server within its deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(u64);

impl NodeId {
    /// Draws a random id.
    pub fn draw() -> Self {
        Self(u64::from_ne_bytes(secrets::random()))
    }
}

/// A message to other nodes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum BusMessage {
    /// A durable change of a chat.
    #[serde(rename = "Happened")]
    Event(Arc<Event>),
    /// A member started or stopped typing.
    Typing {
        chat: ChatId,
        user: UserId,
        is_typing: bool,
        /// The root of the thread; `None`: the timeline.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<MessageId>,
    },
    /// A read marker moved in a chat too large for receipts; delivered to its reader only.
    Marked { chat: ChatId, moved: MarkerMoved },
    /// A member's draft was saved, removed or sent; delivered to its writer only.
    Drafted(Box<DraftChanged>),
    /// Invalidates a user's cached identity: a change affects their credentials.
    #[serde(rename = "Recheck")]
    Invalidate(UserId),
    /// A failed sign-in, counted against the account and the address.
    SignInFailed { address: IpAddr, account: String },
    /// A rendered event for a user and all dm partners.
    #[serde(rename = "Told")]
    ForPartners { user: UserId, frame: String },
    /// A presence message.
    Presence(PresenceMessage),
    /// Messages of this node were lost: receivers compare with storage.
    Lost,
}

/// A node's report of its connected users. `version` counts the changes published. `partners` are the user's
/// dm partners, so that receivers need not read them from storage; `None`: unknown, or too many.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum PresenceMessage {
    Came {
        user: UserId,
        version: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partners: Option<Vec<UserId>>,
    },
    Went {
        user: UserId,
        at: Timestamp,
        version: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partners: Option<Vec<UserId>>,
    },
    /// Heartbeat.
    #[serde(rename = "Beat")]
    Heartbeat { version: u64 },
    /// Snapshot of the node's connected users.
    All { users: Vec<UserId>, version: u64 },
    /// Requests a snapshot from a node.
    Ask { of: NodeId },
    /// The node shuts down.
    #[serde(rename = "Farewell")]
    Leaving,
}

impl BusMessage {
    /// Returns the channels that the message is published on.
    pub(super) fn channels(&self) -> Vec<Channel> {
        match self {
            Self::Event(event) => {
                // Added members may be connected to a node that does not know the chat.
                let added = event.newcomers().map(Channel::User);
                let channels: Vec<Channel> = added.chain([Channel::Chat(event.chat)]).collect();
                if channels.len() <= MAX_CHANNELS { channels } else { vec![Channel::All] }
            }
            Self::Typing { chat, .. } => vec![Channel::Chat(*chat)],
            Self::Marked { moved, .. } => vec![Channel::User(moved.user)],
            Self::Drafted(changed) => vec![Channel::User(changed.user)],
            _ => vec![Channel::All],
        }
    }

    /// Returns whether this is the sender's last message.
    pub fn is_farewell(&self) -> bool {
        matches!(self, Self::Presence(PresenceMessage::Leaving))
    }
}

/// Wire format of a message. An unreadable message, from another version for example, counts as lost.
#[derive(Debug, Serialize, Deserialize)]
pub struct Envelope<N> {
    pub from: NodeId,
    /// Publish time in microseconds of the sender's own clock; set if the sender collects metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    pub news: N,
}

impl<N> Envelope<N> {
    /// Returns how the messages of a node begin.
    pub(super) fn start(from: NodeId) -> String {
        format!("{{\"from\":{},", from.0)
    }

    /// Returns the publish time of a message, given what follows [`Self::start`]. So a node need not parse
    /// its own messages.
    pub(super) fn time(rest: &[u8]) -> Option<u64> {
        let digits = rest.strip_prefix(b"\"at\":")?;
        let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
        std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Change, event::MembersChanged};

    #[test]
    fn an_event_reaches_the_nodes_of_added_members() {
        let adding = |count: i64| {
            let mut change = MembersChanged::none(9);
            change.join_counts = (1..=count).map(|user| (UserId(user), 1)).collect();
            let change = Change::MembersChanged(change);
            BusMessage::Event(Arc::new(Event::new(ChatId(7), 1, change))).channels()
        };
        let chat = Channel::Chat(ChatId(7));
        assert_eq!(adding(0), [chat]);
        assert_eq!(adding(2), [Channel::User(UserId(1)), Channel::User(UserId(2)), chat]);
        assert_eq!(adding(MAX_CHANNELS as i64 - 1).len(), MAX_CHANNELS);
        assert_eq!(adding(MAX_CHANNELS as i64), [Channel::All]);
    }

    #[test]
    fn own_messages_are_recognised_by_their_start() {
        let from = NodeId(18_000_000_000_000_000_001);
        for at in [Some(1_700_000_000_000_000), None] {
            let text = serde_json::to_vec(&Envelope { from, at, news: &BusMessage::Lost }).unwrap();
            let rest = text.strip_prefix(Envelope::<()>::start(from).as_bytes()).unwrap();
            assert_eq!(Envelope::<()>::time(rest), at);
            assert!(!text.starts_with(Envelope::<()>::start(NodeId(1)).as_bytes()));
        }
    }
}
