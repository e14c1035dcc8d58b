//! What travels between nodes.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::core::model::{ChatId, Event, Timestamp, UserId, event::MarkerMoved};

/// Names a running server among those of one deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(u64);

impl NodeId {
    /// A new one, drawn at random.
    pub fn draw() -> Self {
        // Without randomness no key could be drawn either, and no server starts.
        Self(getrandom::u64().unwrap_or_default())
    }
}

/// What a node tells all others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum News {
    /// A lasting change.
    Happened(Arc<Event>),
    /// Somebody types, or stops.
    Typing { chat: ChatId, user: UserId, is_typing: bool },
    /// A read marker in a chat too big for receipts: only the reader hears of it.
    Marked { chat: ChatId, moved: MarkerMoved },
    /// Something of a user's has changed that credentials depend on.
    Recheck(UserId),
    /// A sign-in failed, which counts against the account and the address.
    SignInFailed { address: IpAddr, account: String },
    /// An event, rendered, for a user and everybody with whom they share a dm.
    Told { user: UserId, frame: String },
    /// Who is there.
    Presence(PresenceNews),
    /// Some of what this node had to say was lost: look for it in storage.
    Lost,
}

/// What a node tells of the users who are connected to it. `version` counts what it told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum PresenceNews {
    Came {
        user: UserId,
        version: u64,
    },
    Went {
        user: UserId,
        at: Timestamp,
        version: u64,
    },
    /// The node is alive.
    Beat {
        version: u64,
    },
    /// Everybody who is there.
    All {
        users: Vec<UserId>,
        version: u64,
    },
    /// A node is to tell all.
    Ask {
        of: NodeId,
    },
    /// The node shuts down.
    Farewell,
}

impl News {
    /// The chat whose channel this goes through, if it is about one.
    pub fn chat(&self) -> Option<ChatId> {
        match self {
            Self::Happened(event) => Some(event.chat),
            Self::Typing { chat, .. } | Self::Marked { chat, .. } => Some(*chat),
            _ => None,
        }
    }

    /// Whether the node that says this will say nothing more.
    pub fn is_farewell(&self) -> bool {
        matches!(self, Self::Presence(PresenceNews::Farewell))
    }
}

/// News as they travel. What cannot be read, since another version wrote it, counts as lost.
#[derive(Debug, Serialize, Deserialize)]
pub struct Envelope<N> {
    pub from: NodeId,
    /// When it was published, in microseconds of the sender's own clock; where the sender is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    pub news: N,
}
