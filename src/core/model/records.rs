//! Stored records: users, chats, members, messages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Attachment, ChatId, Custom, GuestAccess, MessageId, NotifyLevel, Pos, Previews, Seq, Timestamp, UserId,
    previews::links_in,
};

/// The public profile of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCard {
    pub id: UserId,
    pub username: String,
    /// The full name, or the username where there is none.
    pub display_name: String,
    /// The stored value of the user's own picture, see [`super::Pictures::shown`]. Without one the server
    /// draws a picture.
    pub avatar_url: Option<String>,
    #[serde(default)]
    pub is_guest: bool,
}

/// The kind of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum ChatKind {
    /// Between two people, or with oneself for notes.
    Dm,
    /// A group of invited people.
    Group,
    /// A titled room, with or without an object of the host's. It stays when the last member leaves.
    Room,
}

impl ChatKind {
    const ALL: [Self; 3] = [Self::Dm, Self::Group, Self::Room];

    /// Returns the name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dm => "dm",
            Self::Group => "group",
            Self::Room => "room",
        }
    }

    /// Returns the level of members who have chosen none. Rooms are large, and much in them concerns others.
    pub fn default_level(self) -> NotifyLevel {
        match self {
            Self::Dm | Self::Group => NotifyLevel::All,
            Self::Room => NotifyLevel::Mentions,
        }
    }

    /// Parses the result of [`ChatKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The role of a member in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Role {
    Admin,
    Member,
}

impl Role {
    /// Returns the name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// Parses the result of [`Role::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Member].into_iter().find(|role| role.as_str() == text)
    }
}

/// A chat's own row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    pub id: ChatId,
    pub kind: ChatKind,
    /// The title that was set; `None`: the title is formed from the members' names.
    pub title: Option<String>,
    pub created_at: Timestamp,
    /// Advances with every new message and every change of title; never moves backwards.
    pub updated_at: Timestamp,
    /// Sequence number of the latest lasting change.
    pub seq: Seq,
    /// Sequence number of the latest change of the members or their roles; 0 if there was none.
    #[serde(default)]
    pub members_seq: Seq,
    /// Position of the newest message. It equals the number of messages, tombstones included.
    pub last_pos: Pos,
    /// Position of the newest message that is not deleted; 0 for none.
    pub last_live_pos: Pos,
    /// The number of tombstones.
    pub deleted_count: i64,
    /// The number of replies that are only in a thread, tombstones included. Their positions are -1, -2, ...
    #[serde(default)]
    pub reply_count: i64,
    pub member_count: i64,
    /// The number of its members' drafts. It takes no sequence number; 0 in snapshots.
    #[serde(default)]
    pub draft_count: i64,
    /// Whether all users may see it and join; rooms only. Staff may make a private room public, which is
    /// permanent.
    pub is_public: bool,
    /// The host's object that a room belongs to.
    pub object: Option<HostObject>,
    /// What guests may do; for public rooms only.
    #[serde(default)]
    pub guest_access: GuestAccess,
    /// The host's data.
    #[serde(default)]
    pub custom: Custom,
}

impl Chat {
    /// Returns whether the chat is a direct message chat.
    pub fn is_dm(&self) -> bool {
        self.kind == ChatKind::Dm
    }

    /// Returns whether the chat has no owner: a public room on an object. Staff manage such rooms.
    pub fn is_unowned(&self) -> bool {
        self.is_public && self.object.is_some()
    }

    /// Returns an empty private chat for tests.
    #[cfg(test)]
    pub(crate) fn fixture(id: ChatId, kind: ChatKind) -> Self {
        Self {
            id,
            kind,
            title: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            seq: 1,
            members_seq: 1,
            last_pos: 0,
            last_live_pos: 0,
            deleted_count: 0,
            reply_count: 0,
            member_count: 0,
            draft_count: 0,
            is_public: false,
            object: None,
            guest_access: GuestAccess::None,
            custom: Custom::default(),
        }
    }
}

/// An object of the host, such as a product or a course, as the host names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostObject {
    pub kind: String,
    pub id: String,
}

/// A member of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub user: UserCard,
    pub role: Role,
    pub joined_at: Timestamp,
    /// Position of the last message that the member has read; 0 for none.
    pub read_pos: Pos,
    pub last_read_message_id: Option<MessageId>,
    /// Position of the newest message before the member joined. Messages up to here do not count as read by
    /// the member.
    pub from_pos: Pos,
    pub read_from_message_id: Option<MessageId>,
}

impl Member {
    /// Returns whether this member counts as a reader of the message at `pos`.
    pub fn has_read(&self, pos: Pos) -> bool {
        self.from_pos < pos && pos <= self.read_pos
    }
}

/// An emoji on a message with the users who chose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    pub emoji: String,
    pub count: i64,
    /// The first hundred users, in the order of their reactions.
    pub users: Vec<UserId>,
}

/// Most users listed in a reaction or as readers of a message. The counts beside them are exact.
pub const LISTED_USERS: usize = 100;

/// Most members in a chat object. Further ones are on the pages of the member list.
pub const LISTED_MEMBERS: i64 = 100;

/// What a message shows of the message that it replies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub id: MessageId,
    pub sender: UserCard,
    /// The first 200 characters of the content; empty on a tombstone.
    pub excerpt: String,
    pub is_deleted: bool,
}

/// The text of a message that was forwarded, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    pub sender: UserCard,
    pub content: String,
}

/// The current state of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub id: MessageId,
    pub chat: ChatId,
    /// Position in the timeline. Negative for a reply that is only in a thread.
    pub pos: Pos,
    /// Sequence number of its latest change.
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
    /// The host's data; empty on a tombstone.
    #[serde(default)]
    pub custom: Custom,
    /// The message that it replies to, as that one is now; `None` on a tombstone.
    #[serde(default)]
    pub reply_to: Option<Box<Quote>>,
    /// The text that it forwards; `None` on a tombstone.
    #[serde(default)]
    pub forwarded_from: Option<Box<Forwarded>>,
    /// Rendered JSON of [`super::mentions::Mentions`]; `None` for none.
    #[serde(default)]
    pub mentions: Option<String>,
    /// The files that it shows; empty on a tombstone.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// Previews of the pages that it links to; empty on a tombstone.
    #[serde(default, skip_serializing_if = "Previews::is_empty")]
    pub previews: Previews,
    /// The root of the thread that it is in.
    #[serde(default)]
    pub thread: Option<MessageId>,
    /// Rendered JSON of a [`super::ThreadInfo`]; `None` unless it is a root with replies.
    #[serde(default)]
    pub thread_info: Option<String>,
    /// The first hundred readers, the sender first; empty on a tombstone.
    pub read_by: Vec<UserId>,
    pub read_count: i64,
}

impl Message {
    /// Returns the links that may have previews: those of the text, then those of the forwarded one.
    pub fn links(&self) -> Vec<String> {
        let forwarded = self.forwarded_from.as_ref().map_or("", |forwarded| forwarded.content.as_str());
        links_in(&format!("{}\n{forwarded}", self.content))
    }

    /// Returns whether the message is in the chat's timeline.
    pub fn is_in_timeline(&self) -> bool {
        self.pos > 0
    }

    /// Returns whether it is a reply that the timeline shows too.
    pub fn is_also_in_chat(&self) -> bool {
        self.thread.is_some() && self.is_in_timeline()
    }

    /// Fills in the readers. `members`: the members whose read markers count, in the order of joining. It is
    /// empty where the chat is too big for receipts.
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

/// A member's own preferences in a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatPreferences)]
pub struct Me {
    /// Clients show no notifications of the chat before this moment.
    #[schema(required)]
    pub muted_until: Option<Timestamp>,
    /// Pinned chats are first in the list of chats.
    pub is_pinned: bool,
    /// From this message on all messages of other users count as unread, regardless of the read marker.
    #[schema(required)]
    pub unread_from: Option<MessageId>,
    /// The messages of which clients notify the member. Default: `all`, and in rooms `mentions`.
    #[serde(default)]
    pub notify: NotifyLevel,
}

impl Me {
    /// Returns the preferences of a new member.
    pub fn default_of(kind: ChatKind) -> Self {
        Self { notify: kind.default_level(), ..Self::default() }
    }
}

/// The parts of a chat object that are equal for all viewers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSnapshot {
    pub chat: Chat,
    /// The first hundred members by time of joining.
    pub members: Vec<Member>,
    pub admins: Vec<UserId>,
    /// The newest message that is not deleted.
    pub last_message: Option<Message>,
}

impl ChatSnapshot {
    /// Returns the snapshot for a user who is not a member, without the last message. A room's messages are
    /// for its members only.
    pub fn from_outside(self) -> Self {
        Self { last_message: None, ..self }
    }

    /// Returns the snapshot without members and admins.
    pub fn without_people(self) -> Self {
        Self { members: Vec::new(), admins: Vec::new(), ..self }
    }
}

/// The parts of a chat object that are specific to one viewer.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    pub id: UserId,
    /// `None`: not a member, but looking at a public room.
    pub role: Option<Role>,
    pub last_read_message_id: Option<MessageId>,
    pub unread_count: i64,
    /// The unread messages that mention the user.
    pub unread_mentions: i64,
    pub me: Me,
}
