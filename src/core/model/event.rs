//! What happened in a chat: the lasting changes that storage has made durable, as the chat's actor learns of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Chat, ChatId, ChatSnapshot, Feed, Me, Member, Message, MessageId, Reaction, Role, Seq, UserId};

/// A lasting change, with its number in the chat.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub chat: ChatId,
    pub seq: Seq,
    pub change: Change,
}

impl Event {
    /// Those who came into the chat with it.
    pub fn newcomers(&self) -> impl Iterator<Item = UserId> + '_ {
        let feeds = match &self.change {
            Change::ChatCreated { feeds, .. } => feeds.as_slice(),
            Change::MembersChanged(change) => &change.feeds,
            _ => &[],
        };
        feeds.iter().map(|(user, _)| *user)
    }
}

/// What changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Change {
    /// `members`: everybody in it, who may be more than the snapshot lists.
    ChatCreated {
        snapshot: ChatSnapshot,
        members: Vec<(UserId, Role)>,
        feeds: Vec<(UserId, Feed)>,
    },
    ChatRenamed {
        snapshot: ChatSnapshot,
    },
    ChatDeleted,
    MessagePosted {
        message: Message,
    },
    MessageEdited {
        message: Message,
    },
    MessageDeleted {
        tombstone: Message,
        last_message: Option<Message>,
    },
    ReactionsChanged {
        message: MessageId,
        reactions: Vec<Reaction>,
    },
    MarkerMoved(MarkerMoved),
    MeChanged(MeChanged),
    MembersChanged(MembersChanged),
}

/// Somebody has read up to a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MarkerMoved {
    pub user: UserId,
    pub last_read_message_id: MessageId,
    /// What is left unread for that user.
    pub unread_count: i64,
    /// What that user has set for themselves: reading ends what was made unread by hand. `None` where a node of an
    /// earlier version told it.
    #[serde(default)]
    pub me: Option<Me>,
}

/// Somebody has set something for themselves, which only they hear of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MeChanged {
    pub user: UserId,
    pub me: Me,
    /// What is unread for that user now.
    pub unread_count: i64,
}

/// People came, went or changed roles; one request is one change, however many people it concerns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MembersChanged {
    pub added: Vec<Member>,
    pub removed: Vec<UserId>,
    pub changed: Vec<Member>,
    pub member_count: i64,
    /// The chat as those who came see it; `None` where nobody did.
    pub snapshot: Option<ChatSnapshot>,
    /// The counts of those who came.
    pub feeds: Vec<(UserId, Feed)>,
}

impl MembersChanged {
    /// A change of how many there are, and of nobody by name.
    pub fn none(member_count: i64) -> Self {
        Self {
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            member_count,
            snapshot: None,
            feeds: Vec::new(),
        }
    }
}

/// What a command came to.
#[derive(Debug, Clone)]
pub struct Done {
    pub answer: Answer,
    /// `None`: nothing lasting changed.
    pub event: Option<Arc<Event>>,
    /// A read marker in a chat too big for receipts: it takes no number, and only the reader hears of it.
    pub quiet_marker: Option<MarkerMoved>,
}

impl Done {
    /// An answer with nothing changed.
    pub fn unchanged(answer: Answer) -> Self {
        Self { answer, event: None, quiet_marker: None }
    }

    /// An answer to something that changed `chat`, which has taken its number already.
    pub fn changed(chat: &Chat, answer: Answer, change: Change) -> Self {
        let event = Event { chat: chat.id, seq: chat.seq, change };
        Self { answer, event: Some(Arc::new(event)), quiet_marker: None }
    }
}

/// What the caller is told.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The message that the event bears: posted or edited just now.
    Message,
    /// A message that nothing was done to, as it is now.
    Unchanged(Box<Message>),
    /// It is done and there is nothing to add.
    Done,
    /// A message is deleted. Whether there is something of it to be cleared out.
    Deleted { is_left: bool },
    /// Whether the reaction is there now.
    Reacted { added: bool },
    /// How many messages of others were newly read.
    Marked(i64),
    /// How many people were not in already.
    Added(usize),
    /// The member whose role was asked about.
    Member(Box<Member>),
}
