//! What is stored and shown: users, chats, members, messages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChatId, MessageId, Pos, Seq, Timestamp, UserId};

/// What everybody may know of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCard {
    pub id: UserId,
    pub username: String,
    /// The full name, else the username.
    pub display_name: String,
    /// The user's own picture as it is stored, see [`super::Pictures::shown`]; the server draws one where there is none.
    pub avatar_url: Option<String>,
}

/// What kind of chat it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum ChatKind {
    /// Between two people, or of one with oneself for notes.
    Dm,
    /// Of invited people.
    Group,
    /// With a title, there for itself or for an object of the host's; it stays when the last member leaves.
    Room,
}

impl ChatKind {
    const ALL: [Self; 3] = [Self::Dm, Self::Group, Self::Room];

    /// As the API and the database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dm => "dm",
            Self::Group => "group",
            Self::Room => "room",
        }
    }

    /// The reverse of [`ChatKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a member may do in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Role {
    Admin,
    Member,
}

impl Role {
    /// As the API and the database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// The reverse of [`Role::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Member].into_iter().find(|role| role.as_str() == text)
    }
}

/// A chat's own row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    pub id: ChatId,
    pub kind: ChatKind,
    /// The title that somebody gave it; `None`: it is formed from the members' names.
    pub title: Option<String>,
    pub created_at: Timestamp,
    /// Moves with every new message and every change of title; never backwards.
    pub updated_at: Timestamp,
    /// Number of the latest lasting change.
    pub seq: Seq,
    /// Place of the newest message, which is how many there are, tombstones included.
    pub last_pos: Pos,
    /// Place of the newest message that is not deleted; 0 for none.
    pub last_live_pos: Pos,
    /// How many tombstones there are.
    pub deleted_count: i64,
    pub member_count: i64,
    /// Whether anybody may see it and join; rooms only. Staff may open a private one, and it stays open.
    pub is_public: bool,
    /// What a room is there for.
    pub object: Option<HostObject>,
}

impl Chat {
    /// Whether nobody began it: a public room on an object, whoever asked for it first. Staff look after it.
    pub fn is_nobodys(&self) -> bool {
        self.is_public && self.object.is_some()
    }
}

/// An object of the host's, a product or a course for example, as the host names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostObject {
    pub kind: String,
    pub id: String,
}

/// A person in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub user: UserCard,
    pub role: Role,
    pub joined_at: Timestamp,
    /// Everything up to here is read; a message's place, 0 for none.
    pub read_pos: Pos,
    pub last_read_message_id: Option<MessageId>,
    /// Reading began after this place: what is before was written before the member came.
    pub from_pos: Pos,
    pub read_from_message_id: Option<MessageId>,
}

impl Member {
    /// Whether this member counts among the readers of the message at `pos`.
    pub fn has_read(&self, pos: Pos) -> bool {
        self.from_pos < pos && pos <= self.read_pos
    }
}

/// An emoji on a message with those who used it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    pub emoji: String,
    pub count: i64,
    /// The first hundred, in the order in which they reacted.
    pub users: Vec<UserId>,
}

/// Most users listed by name in a reaction or among the readers of a message; the counts beside are exact.
pub const LISTED_USERS: usize = 100;

/// Members shown in a chat object; the rest is on the members' pages.
pub const LISTED_MEMBERS: i64 = 100;

/// A message as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub id: MessageId,
    pub chat: ChatId,
    pub pos: Pos,
    /// Number of its latest change.
    pub seq: Seq,
    /// Empty on a tombstone.
    pub content: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub is_edited: bool,
    pub is_deleted: bool,
    pub sender: UserCard,
    pub client_id: Option<String>,
    /// Rendered JSON of a list of [`Reaction`], in the order in which each emoji was first used.
    pub reactions: String,
    /// The first hundred who have read it, the sender first; nobody on a tombstone.
    pub read_by: Vec<UserId>,
    pub read_count: i64,
}

impl Message {
    /// Fills in who has read it. `members`: those whose marks count, in the order of joining; none where the chat is
    /// too big for receipts.
    pub fn note_readers(&mut self, members: &[Member]) {
        self.read_by.clear();
        self.read_count = 0;
        if self.is_deleted {
            return;
        }
        let sender = self.sender.id;
        let readers = members.iter().filter(|m| m.has_read(self.pos)).map(|m| m.user.id);
        for reader in std::iter::once(sender).chain(readers.filter(|id| *id != sender)) {
            self.read_count += 1;
            if self.read_by.len() < LISTED_USERS {
                self.read_by.push(reader);
            }
        }
    }
}

/// What a member has set for themselves in a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatPreferences)]
pub struct Me {
    /// Clients keep quiet about the chat before this moment.
    #[schema(required)]
    pub muted_until: Option<Timestamp>,
    /// Pinned chats come first in the list of chats.
    pub is_pinned: bool,
    /// From this message on everything of others counts as unread, whatever has been read.
    #[schema(required)]
    pub unread_from: Option<MessageId>,
}

/// All that a chat object shows, apart from what differs by viewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSnapshot {
    pub chat: Chat,
    /// The first hundred by joining.
    pub members: Vec<Member>,
    pub admins: Vec<UserId>,
    /// The newest message that is not deleted.
    pub last_message: Option<Message>,
}

impl ChatSnapshot {
    /// As it is shown to who is not in it: what is said in a room is for its members.
    pub fn from_outside(self) -> Self {
        Self { last_message: None, ..self }
    }

    /// The same without who is in it.
    pub fn without_people(self) -> Self {
        Self { members: Vec::new(), admins: Vec::new(), ..self }
    }
}

/// What a chat object shows to one user only.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    pub id: UserId,
    /// `None`: not in it, but looking at a public room.
    pub role: Option<Role>,
    pub last_read_message_id: Option<MessageId>,
    pub unread_count: i64,
    pub me: Me,
}
