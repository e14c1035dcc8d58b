//! JSON of events.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{ChatForAll, ChatView, MemberView, MessageView, ProfileView, UserView};
use crate::core::model::{ChatId, Draft, Me, MessageId, Reaction, Seq, ThreadInfo, Timestamp, UserId};

/// Events that a socket gets: one JSON object each, distinguished by `type`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = OtherEvent)]
#[expect(clippy::large_enum_variant, reason = "each is rendered at once, and none is kept")]
pub enum Frame<'a> {
    /// A message was deleted: its tombstone, and the chat's newest message that is not deleted.
    MessageDeleted {
        chat_id: ChatId,
        seq: Seq,
        message_id: MessageId,
        message: MessageView<'a>,
        #[schema(required)]
        last_message: Option<MessageView<'a>>,
        /// Only for a reply: the state of the thread, null if no reply is left.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<ThreadInfo>)]
        thread_info: Option<Option<&'a RawValue>>,
    },
    /// Messages were pinned or unpinned. If a deletion unpinned one, this follows its `message_deleted`, with the
    /// same `seq`.
    PinsChanged {
        chat_id: ChatId,
        seq: Seq,
        /// The messages pinned, the latest first.
        added: Vec<MessageView<'a>>,
        /// Ids of the messages that are not pinned any more.
        removed: &'a [MessageId],
        /// The number of pinned messages.
        count: i64,
    },
    /// All reactions of a message, as they are now.
    ReactionUpdated { chat_id: ChatId, seq: Seq, message_id: MessageId, reactions: &'a [Reaction] },
    /// A member started or stopped typing. Ephemeral: it has no number.
    Typing {
        chat_id: ChatId,
        user_id: UserId,
        is_typing: bool,
        /// The root of the thread; only for connections that have opened it. Missing for the timeline.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        thread: Option<MessageId>,
    },
    /// A member's read marker moved.
    Read {
        chat_id: ChatId,
        /// Missing in large chats, where only the reader gets the event.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        seq: Option<Seq>,
        user_id: UserId,
        last_read_message_id: MessageId,
        /// Only on the reader's own sockets.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        unread_count: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        unread_mentions: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        me: Option<Me>,
    },
    /// The receiver began or stopped following a thread.
    ThreadFollowed {
        chat_id: ChatId,
        seq: Seq,
        /// The root of the thread.
        root: MessageId,
        is_followed: bool,
        /// Replies of other users after the thread's read marker, without deleted ones.
        unread: i64,
        /// Those that mention the receiver.
        mentions: i64,
        /// The last reply that is read; null for none.
        #[schema(required)]
        last_read_message_id: Option<MessageId>,
    },
    /// The receiver's read marker of a thread moved.
    ThreadRead {
        chat_id: ChatId,
        seq: Seq,
        /// The root of the thread.
        root: MessageId,
        is_followed: bool,
        /// Replies of other users after the thread's read marker, without deleted ones.
        unread: i64,
        /// Those that mention the receiver.
        mentions: i64,
        /// The last reply that is read; null for none.
        #[schema(required)]
        last_read_message_id: Option<MessageId>,
    },
    /// An edit or a deletion changed whether a message mentions the receiver, or a new message does so without effect,
    /// because of a block.
    MentionsChanged {
        chat_id: ChatId,
        seq: Seq,
        message_id: MessageId,
        is_mentioned: bool,
        /// Unread messages of the timeline that mention the receiver.
        unread_mentions: i64,
    },
    /// The receiver's own settings for the chat changed.
    MeUpdated { chat_id: ChatId, seq: Seq, me: Me, unread_count: i64, unread_mentions: i64 },
    /// The receiver's draft in a chat was saved, or it was removed or sent. It has no number.
    DraftChanged {
        chat_id: ChatId,
        /// The message whose thread the draft belongs to; null: the chat's timeline.
        #[schema(required)]
        thread: Option<MessageId>,
        /// Null: there is none any more.
        #[schema(required)]
        draft: Option<&'a Draft>,
    },
    /// The membership changed: added members, ids of removed users, members with a new role.
    MembersChanged {
        chat_id: ChatId,
        seq: Seq,
        added: Vec<MemberView<'a>>,
        removed: &'a [UserId],
        changed: Vec<MemberView<'a>>,
        member_count: i64,
    },
    /// A guest became a user with an account: the messages of `from` in the chat are that user's.
    UserMerged { chat_id: ChatId, seq: Seq, from: UserId, user: UserView<'a> },
    /// A chat is new to the receiver: it was created, or they were added to it.
    ChatCreated { chat_id: ChatId, seq: Seq, chat: ChatView<'a> },
    /// A chat has a new title or other custom data.
    ChatUpdated {
        chat_id: ChatId,
        seq: Seq,
        #[schema(value_type = ChatForAll)]
        chat: ChatView<'a>,
    },
    /// The chat was deleted, or the receiver is no longer a member. No event of it follows.
    ChatDeleted {
        chat_id: ChatId,
        /// Missing when a resuming user is no longer a member and the number is unknown.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        seq: Option<Seq>,
    },
    /// A dm partner went online or offline.
    Presence { user_id: UserId, is_online: bool, last_seen: Timestamp },
    /// A dm partner, or the receiver, has a new name or picture, or other custom data.
    UserUpdated { user: ProfileView<'a> },
    /// The first event of a connection: the state from which events follow.
    Hello {
        user_id: UserId,
        server_version: &'static str,
        /// Interval of the server's pings or heartbeats, in seconds.
        heartbeat_seconds: u64,
        /// The number of the latest change of each of the caller's chats, by chat id.
        #[schema(value_type = BTreeMap<String, i64>)]
        chats: &'a BTreeMap<ChatId, Seq>,
        /// Ids of the online dm partners.
        users_online: &'a [UserId],
    },
    /// The JSON Web Token of this connection ends in this many seconds. A socket sends `refresh` with a new one.
    TokenExpiring { seconds: i64 },
    /// The missed events are not replayed: load the chat again.
    Resync { chat_id: ChatId, seq: Seq },
}

/// Message events, built around a message that is already rendered.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = MessageEvent)]
pub enum MessageFrame<'a> {
    /// A message was posted.
    NewMessage {
        chat_id: ChatId,
        seq: Seq,
        message: MessageView<'a>,
        /// Only for a reply: the state of the thread.
        #[serde(skip_serializing_if = "Option::is_none")]
        thread_info: Option<ThreadInfo>,
    },
    /// A message was edited, or has other custom data, or is a root with other replies.
    MessageUpdated {
        chat_id: ChatId,
        seq: Seq,
        message: MessageView<'a>,
        /// Only for a reply: the state of the thread.
        #[serde(skip_serializing_if = "Option::is_none")]
        thread_info: Option<ThreadInfo>,
    },
}

/// Every event that a socket gets without a request.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = Event)]
#[expect(clippy::large_enum_variant, reason = "only its schema is used; it is never constructed")]
pub enum LiveEvent<'a> {
    Message(MessageFrame<'a>),
    Other(Frame<'a>),
}
