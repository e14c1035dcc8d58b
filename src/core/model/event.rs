//! Events: lasting changes in a chat that storage has committed, in the form that the chat's actor receives.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Chat, ChatId, ChatSnapshot, Draft, DraftChanged, JoinCount, Me, Member, Message, MessageId, Reaction,
    Role, Seq, UserCard, UserId,
    mentions::MentionsChange,
    threads::{OwnChange, OwnChanges},
};

/// A lasting change with its sequence number in the chat.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub chat: ChatId,
    pub seq: Seq,
    pub change: Change,
    /// What changed for single users, which only they receive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<OwnChange>,
    /// The users whose mentions are not counted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Box<MentionsChange>>,
}

impl Event {
    /// Creates an event that all receivers get alike.
    pub fn new(chat: ChatId, seq: Seq, change: Change) -> Self {
        Self { chat, seq, change, own: Vec::new(), mentions: None }
    }

    /// Returns the reply that is only in a thread, if the event is about one.
    pub fn thread_reply(&self) -> Option<&Message> {
        let message = match &self.change {
            Change::MessagePosted { message, .. } | Change::MessageEdited { message, .. } => message,
            Change::MessageDeleted { tombstone, .. } => tombstone,
            _ => return None,
        };
        (!message.is_in_timeline()).then_some(message)
    }

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
        #[serde(default)]
        thread: ThreadChange,
    },
    MessageEdited {
        message: Message,
        #[serde(default)]
        thread: ThreadChange,
    },
    MessageDeleted {
        tombstone: Message,
        #[serde(default)]
        thread: ThreadChange,
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
    /// Only [`Event::own`] changed.
    OwnOnly,
    MembersChanged(MembersChanged),
    /// Messages of a guest became those of a user, whom the guest has become.
    UserMerged {
        from: UserId,
        user: UserCard,
    },
}

/// What a change of a reply means for its root. Empty for a message that is in no thread.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ThreadChange {
    /// Rendered JSON of the [`super::ThreadInfo`]; `None` if no reply is left.
    pub info: Option<String>,
    /// The root, if its latest change is this one and it was read from storage.
    pub root: Option<Box<ChangedRoot>>,
}

/// A root whose latest change is a reply. Connections that do not know threads receive it instead of the reply.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangedRoot {
    pub message: Message,
    /// Whether the root itself is new to the receivers.
    pub is_new: bool,
    /// The newest message of the chat that is not deleted, if the root is.
    pub last_message: Option<Message>,
}

/// A member's read marker moved up to a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MarkerMoved {
    pub user: UserId,
    pub last_read_message_id: MessageId,
    /// The remaining unread count of that user.
    pub unread_count: i64,
    #[serde(default)]
    pub unread_mentions: i64,
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
    #[serde(default)]
    pub unread_mentions: i64,
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

impl Change {
    /// Returns what the change of a message means for its thread.
    pub fn thread(&self) -> Option<&ThreadChange> {
        match self {
            Self::MessagePosted { thread, .. }
            | Self::MessageEdited { thread, .. }
            | Self::MessageDeleted { thread, .. } => Some(thread),
            _ => None,
        }
    }
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
    /// Users that a message mentions in vain: they are not active members.
    pub mentions_ignored: Vec<UserId>,
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
        Self {
            answer,
            event: None,
            quiet_marker: None,
            mentions_ignored: Vec::new(),
            drafts: Vec::new(),
            standing: None,
        }
    }

    /// Returns the result of a post whose message is stored. `thread`: what a reply means for its root.
    pub fn posted(message: Message, thread: ThreadChange, own: OwnChanges) -> Self {
        let (chat, seq) = (message.chat, message.seq);
        let change = Change::MessagePosted { message, thread };
        let OwnChanges { own, mentions } = own;
        let event = Event { own, mentions, ..Event::new(chat, seq, change) };
        Self { event: Some(Arc::new(event)), ..Self::unchanged(Answer::Message) }
    }

    /// Returns a result with an event, and what changed for single users.
    pub fn changed_with(chat: &Chat, answer: Answer, change: Change, own: OwnChanges) -> Self {
        let OwnChanges { own, mentions } = own;
        let event = Event { own, mentions, ..Event::new(chat.id, chat.seq, change) };
        Self { event: Some(Arc::new(event)), ..Self::unchanged(answer) }
    }

    /// Returns a result with an event for one user alone. The caller has already assigned the new `seq` to `chat`.
    pub fn own(chat: &Chat, answer: Answer, own: OwnChange) -> Self {
        let event = Event { own: vec![own], ..Event::new(chat.id, chat.seq, Change::OwnOnly) };
        Self { event: Some(Arc::new(event)), ..Self::unchanged(answer) }
    }

    /// Returns a result with an event. The caller has already assigned the new `seq` to `chat`.
    pub fn changed(chat: &Chat, answer: Answer, change: Change) -> Self {
        Self::changed_with(chat, answer, change, OwnChanges::default())
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
