//! Threads: replies to a root message, the state of a thread, and the users who follow it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChatForViewer, ChatId, Message, MessageId, Pos, Timestamp, UserId, mentions::MentionsChange};

/// Most participants that a root lists.
pub const LISTED_PARTICIPANTS: usize = 5;

/// The state of a thread, as its root shows it. Deleted replies do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadInfo {
    pub reply_count: i64,
    #[schema(required)]
    pub last_reply_at: Option<Timestamp>,
    /// The first 5 users who replied, by their first reply.
    pub participants: Vec<UserId>,
    pub participant_count: i64,
}

impl ThreadInfo {
    /// Parses what is stored with a root.
    pub fn from_stored(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// Renders the state. `None` if no reply is left.
    pub fn stored(&self) -> Option<String> {
        (self.reply_count > 0).then(|| serde_json::to_string(self).expect("a thread's state is always JSON"))
    }
}

/// A sequence of positions: the timeline of a chat, or the replies of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    Chat(ChatId),
    /// The thread with this root.
    Thread(MessageId),
}

impl Lane {
    /// Returns the key of the counts per block: the id of the chat, or the negative id of the root.
    pub fn key(self) -> i64 {
        match self {
            Self::Chat(chat) => chat.0,
            Self::Thread(root) => -root.0,
        }
    }
}

/// The head of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    pub root: MessageId,
    pub chat: ChatId,
    /// Position of the newest reply. It equals the number of replies, tombstones included.
    pub last_pos: Pos,
    /// Position of the newest reply that is not deleted; 0 for none.
    pub last_live_pos: Pos,
    /// The newest reply that is not deleted; 0 for none.
    pub last_reply: MessageId,
    /// Its sender; 0 for none.
    pub last_sender: UserId,
    pub deleted_count: i64,
}

impl Thread {
    /// Creates the head of a thread without replies.
    pub fn new(root: MessageId, chat: ChatId) -> Self {
        let (last_reply, last_sender) = (MessageId(0), UserId(0));
        Self { root, chat, last_pos: 0, last_live_pos: 0, last_reply, last_sender, deleted_count: 0 }
    }
}

/// A user's relation to a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Follow {
    pub is_followed: bool,
    /// The read marker: position and id of the last reply that is read.
    pub read_pos: Pos,
    pub last_read_message_id: Option<MessageId>,
}

/// A user's own view of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnThread {
    pub root: MessageId,
    pub is_followed: bool,
    /// Replies of other users after the thread's read marker, without deleted ones.
    pub unread: i64,
    /// Those that mention the user.
    pub mentions: i64,
    pub last_read_message_id: Option<MessageId>,
}

/// A change that only one user's connections receive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OwnChange {
    pub user: UserId,
    pub kind: OwnKind,
}

/// What a change means for single users.
#[derive(Debug, Default)]
pub struct OwnChanges {
    pub own: Vec<OwnChange>,
    /// The users whose mentions are not counted yet.
    pub mentions: Option<Box<MentionsChange>>,
}

/// What changed for a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum OwnKind {
    /// The user began or stopped following a thread.
    ThreadFollowed(OwnThread),
    /// The user's read marker of a thread moved.
    ThreadRead(OwnThread),
    /// An edit or a deletion changed whether a message mentions the user.
    MentionsChanged { message: MessageId, is_mentioned: bool, unread_mentions: i64 },
}

/// A thread as the list of a user's threads shows it.
#[derive(Debug)]
pub struct ThreadForViewer {
    pub chat: ChatForViewer,
    pub root: Message,
    pub last_reply: Option<Message>,
    pub own: OwnThread,
}

/// What is unread for a user in one chat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnreadInChat {
    /// Messages of other users in the timeline.
    pub count: i64,
    /// Those that mention the user.
    pub mentions: i64,
    /// The followed threads with unread replies.
    pub threads: Vec<OwnThread>,
}

impl UnreadInChat {
    /// Returns whether nothing is unread.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.threads.is_empty()
    }
}
