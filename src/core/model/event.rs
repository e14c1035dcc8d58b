//! Events: lasting changes in a chat that storage has committed, in the form that the chat's actor receives.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Chat, ChatId, ChatSnapshot, Draft, DraftChanged, JoinCount, Me, Member, Message, MessageId, Reaction,
    Role, Seq, UserCard, UserId,
};

/// A lasting change with its sequence number in the chat.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub chat: ChatId,
    pub seq: Seq,
    pub change: Change,
}

impl Event {
    /// Returns the users that the event added to the chat.
    pub fn newcomers(&self) -> impl Iterator<Item = UserId> + '_ {
        let join_counts = match &self.change {
            Change::ChatCreated { join_counts, .. } => join_counts.as_slice(),
            Change::MembersChanged(change) => &change.join_counts,
            _ => &[],
        };
        join_counts.iter().map(|(user, _)| *user)
    }
}

/// The kind of change and its data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Change {
    /// `members`: all members. The snapshot may list fewer.
    ChatCreated {
        snapshot: ChatSnapshot,
        members: Vec<(UserId, Role)>,
        #[serde(rename = "feeds")]
        join_counts: Vec<(UserId, JoinCount)>,
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
        /// The number of pinned messages, if this one was pinned.
        #[serde(default)]
        unpinned: Option<i64>,
    },
    /// Messages were pinned or unpinned. `count`: the number of pinned ones.
    PinsChanged {
        added: Vec<Message>,
        removed: Vec<MessageId>,
        count: i64,
    },
    ReactionsChanged {
        message: MessageId,
        reactions: Vec<Reaction>,
    },
    MarkerMoved(MarkerMoved),
    MeChanged(MeChanged),
    MembersChanged(MembersChanged),
    /// Messages of a guest became those of a user, whom the guest has become.
    UserMerged {
        from: UserId,
        user: UserCard,
    },
}

/// A member's read marker moved up to a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MarkerMoved {
    pub user: UserId,
    pub last_read_message_id: MessageId,
    /// The remaining unread count of that user.
    pub unread_count: i64,
    /// That user's preferences: reading clears a manual unread mark. `None` in events of nodes of an earlier
    /// version.
    #[serde(default)]
    pub me: Option<Me>,
}

/// A member changed their own preferences. Only that user receives the event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MeChanged {
    pub user: UserId,
    pub me: Me,
    /// The new unread count of that user.
    pub unread_count: i64,
}

/// Members were added or removed, or changed roles. One request makes one change, for any number of people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MembersChanged {
    pub added: Vec<Member>,
    pub removed: Vec<UserId>,
    pub changed: Vec<Member>,
    pub member_count: i64,
    /// The chat as added members see it; `None` where none were added.
    pub snapshot: Option<ChatSnapshot>,
    /// The join counts of the added members.
    #[serde(rename = "feeds")]
    pub join_counts: Vec<(UserId, JoinCount)>,
}

impl MembersChanged {
    /// Returns a change of the member count alone, without named members.
    pub fn none(member_count: i64) -> Self {
        Self {
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            member_count,
            snapshot: None,
            join_counts: Vec::new(),
        }
    }
}

/// The result of a command.
#[derive(Debug, Clone)]
pub struct Done {
    pub answer: Answer,
    /// `None`: the command changed nothing lasting.
    pub event: Option<Arc<Event>>,
    /// A read marker in a chat too big for receipts. It takes no sequence number; only the reader receives
    /// it.
    pub quiet_marker: Option<MarkerMoved>,
    /// Drafts that were saved, removed or sent. They take no sequence number; only their writer receives them.
    pub drafts: Vec<DraftChanged>,
    /// What the storage looked up to permit a post.
    pub standing: Option<Box<Standing>>,
}

/// A member of a chat, as the storage has found it. It holds while the chat's `members_seq` stays the same.
#[derive(Debug, Clone)]
pub struct Standing {
    pub chat: Chat,
    pub user: UserId,
    pub role: Role,
}

impl Done {
    /// Returns a result without an event.
    pub fn unchanged(answer: Answer) -> Self {
        Self { answer, event: None, quiet_marker: None, drafts: Vec::new(), standing: None }
    }

    /// Returns the result of a post whose message is stored.
    pub fn posted(message: Message) -> Self {
        let event = Event { chat: message.chat, seq: message.seq, change: Change::MessagePosted { message } };
        Self { event: Some(Arc::new(event)), ..Self::unchanged(Answer::Message) }
    }

    /// Returns a result with an event. The caller has already assigned the new `seq` to `chat`.
    pub fn changed(chat: &Chat, answer: Answer, change: Change) -> Self {
        let event = Event { chat: chat.id, seq: chat.seq, change };
        Self { event: Some(Arc::new(event)), ..Self::unchanged(answer) }
    }
}

/// The answer to the caller.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The message in the event, just posted or edited.
    Message,
    /// The current state of a message that the command left unchanged.
    Unchanged(Box<Message>),
    /// Success without data.
    Done,
    /// A step of a guest's handover is done. `is_left`: further steps remain.
    HandedOver { is_left: bool },
    /// A message is deleted. `is_left`: some of its data remains to be purged.
    Deleted { is_left: bool },
    /// `added`: whether the reaction exists now.
    Reacted { added: bool },
    /// The number of other users' messages that are newly read.
    Marked(i64),
    /// The number of users who were not members before.
    Added(usize),
    /// The member whose role the command changed or confirmed.
    Member(Box<Member>),
    /// The draft as it is now; `None`: there is none.
    Draft(Option<Box<Draft>>),
}
