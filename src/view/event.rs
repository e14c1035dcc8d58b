//! JSON of events. Each event is rendered once, and all sockets share the bytes.

use std::collections::BTreeMap;

use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    ChatForAll, ChatView, Links, MemberView, MessageView, Perspective, ProfileView, UserView, message::raw,
    render,
};
use crate::core::model::{
    Change, ChatId, ChatSnapshot, Custom, Event, Me, Member, Message, MessageId, Reaction, Seq, ThreadInfo,
    Timestamp, UserCard, UserId, Viewer,
    event::{ChangedRoot, MarkerMoved, MeChanged, MembersChanged, ThreadChange},
    threads::{OwnChange, OwnKind, OwnThread},
};

/// Events that a socket gets: one JSON object each, distinguished by `type`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = OtherEvent)]
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
        #[serde(flatten)]
        thread: OwnThread,
    },
    /// The receiver's read marker of a thread moved.
    ThreadRead {
        chat_id: ChatId,
        seq: Seq,
        #[serde(flatten)]
        thread: OwnThread,
    },
    /// An edit or a deletion changed whether a message mentions the receiver. In a chat of more than 100 members it is not
    /// sent where everyone was mentioned, or is no longer.
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

/// Renders the events of a change, each ready to be shared.
pub mod frames {
    use super::*;

    /// Renders a message as JSON: the REST answer, and the `message` field of its event.
    pub fn message(message: &Message, links: &Links) -> ByteString {
        render(&MessageView::new(message, links))
    }

    /// Adds the users whom a message mentions in vain, if there are any, to the message as JSON.
    pub fn with_ignored_mentions(message: ByteString, ignored: &[UserId]) -> ByteString {
        match message.strip_suffix('}') {
            Some(open) if !ignored.is_empty() => {
                format!(r#"{open},"mentions_ignored":{}}}"#, render(&ignored)).into()
            }
            _ => message,
        }
    }

    /// Renders a message as JSON with the private part of its custom data: a REST answer to staff.
    pub fn message_for_staff(message: &Message, links: &Links) -> ByteString {
        render(&MessageView::new(message, links).seen_by(true, message))
    }

    /// Renders the events of a change that are the same for all members, in order: all have its sequence number.
    /// `message` is the rendered message of a posted or edited message. A connection that does not know threads gets the
    /// root instead of a reply that is only in a thread.
    pub fn all(
        event: &Event,
        message: Option<&ByteString>,
        knows_threads: bool,
        links: &Links,
    ) -> Vec<ByteString> {
        let mut frames = Vec::new();
        if let Some(ChangedRoot { message, is_new }) = event.change.thread().and_then(|thread| thread.root.as_deref()) {
            let kind = if *is_new { "new_message" } else { "message_updated" };
            frames.push(around(kind, event, &self::message(message, links), None));
        }
        if knows_threads || event.thread_reply().is_none() {
            frames.extend(shared(event, message, links));
        }
        frames.extend(second(event));
        frames
    }

    /// Renders what changed for one user alone, with the sequence number of the event.
    pub fn own(event: &Event, own: &OwnChange) -> ByteString {
        let (chat_id, seq) = (event.chat, event.seq);
        render(&match own.kind {
            OwnKind::ThreadFollowed(thread) => Frame::ThreadFollowed { chat_id, seq, thread },
            OwnKind::ThreadRead(thread) => Frame::ThreadRead { chat_id, seq, thread },
            OwnKind::MentionsChanged { message: message_id, is_mentioned, unread_mentions } => {
                Frame::MentionsChanged { chat_id, seq, message_id, is_mentioned, unread_mentions }
            }
        })
    }

    /// Renders the event that is the same for all members; `None` if there is none. `message` is the rendered
    /// message of a posted or edited message.
    pub fn shared(event: &Event, message: Option<&ByteString>, links: &Links) -> Option<ByteString> {
        let (chat_id, seq) = (event.chat, event.seq);
        let frame = match &event.change {
            Change::MessagePosted { message: reply, thread } => {
                let info = reply.thread.is_some().then_some(thread);
                return Some(around("new_message", event, message?, info));
            }
            Change::MessageEdited { message: reply, thread } => {
                let info = reply.thread.is_some().then_some(thread);
                return Some(around("message_updated", event, message?, info));
            }
            Change::MessageDeleted { tombstone, last_message, thread, .. } => Frame::MessageDeleted {
                chat_id,
                seq,
                message_id: tombstone.id,
                message: MessageView::new(tombstone, links),
                last_message: last_message.as_ref().map(|message| MessageView::new(message, links)),
                thread_info: tombstone.thread.map(|_| raw(thread.info.as_deref())),
            },
            Change::ReactionsChanged { message, reactions } => {
                Frame::ReactionUpdated { chat_id, seq, message_id: *message, reactions }
            }
            Change::PinsChanged { added, removed, count } => {
                let added = added.iter().map(|message| MessageView::new(message, links)).collect();
                return Some(render(&Frame::PinsChanged { chat_id, seq, added, removed, count: *count }));
            }
            Change::MarkerMoved(moved) => return Some(read(chat_id, Some(seq), moved)),
            Change::MembersChanged(MembersChanged { added, removed, changed, member_count, .. }) => {
                return Some(render(&Frame::MembersChanged {
                    chat_id,
                    seq,
                    added: views(added, links),
                    removed,
                    changed: views(changed, links),
                    member_count: *member_count,
                }));
            }
            Change::ChatRenamed { snapshot } => Frame::ChatUpdated {
                chat_id,
                seq,
                chat: ChatView::new(snapshot, Perspective::Everybody, links),
            },
            Change::UserMerged { from, user } => {
                Frame::UserMerged { chat_id, seq, from: *from, user: UserView::new(user, links) }
            }
            Change::ChatDeleted => Frame::ChatDeleted { chat_id, seq: Some(seq) },
            Change::ChatCreated { .. } | Change::MeChanged(_) | Change::OwnOnly => return None,
        };
        Some(render(&frame))
    }

    /// Renders the second event of a change, with the same sequence number; `None` for most changes.
    fn second(event: &Event) -> Option<ByteString> {
        let Change::MessageDeleted { tombstone, unpinned: Some(count), .. } = &event.change else {
            return None;
        };
        let (chat_id, seq, removed) = (event.chat, event.seq, &[tombstone.id]);
        Some(render(&Frame::PinsChanged { chat_id, seq, added: Vec::new(), removed, count: *count }))
    }

    /// Renders the event for observers of a public room: title and membership, never messages. With
    /// `names_people` false, it has the number of members but no names.
    pub fn outline(event: &Event, names_people: bool, links: &Links) -> Option<ByteString> {
        let change = match &event.change {
            Change::MembersChanged(change) if names_people => Change::MembersChanged(change.clone()),
            Change::MembersChanged(MembersChanged { member_count, .. }) => {
                Change::MembersChanged(MembersChanged::none(*member_count))
            }
            Change::ChatRenamed { snapshot } => {
                let outside = snapshot.clone().from_outside();
                Change::ChatRenamed {
                    snapshot: if names_people { outside } else { outside.without_people() },
                }
            }
            _ => return None,
        };
        shared(&Event::new(event.chat, event.seq, change), None, links)
    }

    fn views<'a>(members: &'a [Member], links: &Links) -> Vec<MemberView<'a>> {
        members.iter().map(|member| MemberView::new(member, links)).collect()
    }

    /// Wraps a rendered message in its event. `thread`: of a reply.
    fn around(kind: &str, event: &Event, message: &ByteString, thread: Option<&ThreadChange>) -> ByteString {
        let (chat, seq) = (event.chat, event.seq);
        let info = thread.map(|thread| format!(r#","thread_info":{}"#, thread.info.as_deref().unwrap_or("null")));
        let info = info.unwrap_or_default();
        format!(r#"{{"type":"{kind}","chat_id":{chat},"seq":{seq},"message":{message}{info}}}"#).into()
    }

    /// Renders a read marker for all members.
    fn read(chat_id: ChatId, seq: Option<Seq>, moved: &MarkerMoved) -> ByteString {
        let MarkerMoved { user: user_id, last_read_message_id, .. } = *moved;
        render(&Frame::Read { chat_id, seq, user_id, last_read_message_id, unread_count: None, unread_mentions: None, me: None })
    }

    /// Renders a read marker for the reader's own sockets, with the unread count.
    pub fn own_read(chat_id: ChatId, seq: Option<Seq>, moved: &MarkerMoved) -> ByteString {
        let MarkerMoved { user: user_id, last_read_message_id, unread_count, unread_mentions, me } = *moved;
        let (unread_count, unread_mentions) = (Some(unread_count), Some(unread_mentions));
        render(&Frame::Read { chat_id, seq, user_id, last_read_message_id, unread_count, unread_mentions, me })
    }

    /// Renders a change of the receiver's own settings.
    pub fn me_updated(chat_id: ChatId, seq: Seq, changed: &MeChanged) -> ByteString {
        let MeChanged { me, unread_count, unread_mentions, .. } = *changed;
        render(&Frame::MeUpdated { chat_id, seq, me, unread_count, unread_mentions })
    }

    /// Renders `chat_created` for a user.
    pub fn chat_created(snapshot: &ChatSnapshot, seq: Seq, viewer: &Viewer, links: &Links) -> ByteString {
        let chat = ChatView::new(snapshot, Perspective::Of(viewer), links);
        render(&Frame::ChatCreated { chat_id: snapshot.chat.id, seq, chat })
    }

    /// Renders `chat_deleted`: the chat was deleted, or the receiver is no longer a member.
    pub fn chat_deleted(chat_id: ChatId, seq: Option<Seq>) -> ByteString {
        render(&Frame::ChatDeleted { chat_id, seq })
    }

    /// Renders `resync`: the client loads the chat again; only later events than `seq` are new.
    pub fn resync(chat_id: ChatId, seq: Seq) -> ByteString {
        render(&Frame::Resync { chat_id, seq })
    }

    /// Renders a user's change to online or offline.
    pub fn presence(user_id: UserId, is_online: bool, last_seen: Timestamp) -> ByteString {
        render(&Frame::Presence { user_id, is_online, last_seen })
    }

    /// Renders a user's new name, picture or custom data.
    pub fn user_updated(user: &UserCard, custom: &Custom, links: &Links) -> ByteString {
        render(&Frame::UserUpdated { user: ProfileView::new(user, custom, links) })
    }

    /// Renders the first event of a connection.
    pub fn hello(
        user_id: UserId,
        heartbeat_seconds: u64,
        chats: &BTreeMap<ChatId, Seq>,
        users_online: &[UserId],
    ) -> ByteString {
        let server_version = env!("CARGO_PKG_VERSION");
        render(&Frame::Hello { user_id, server_version, heartbeat_seconds, chats, users_online })
    }

    /// Renders the warning that a connection's token ends soon.
    pub fn token_expiring(seconds: i64) -> ByteString {
        render(&Frame::TokenExpiring { seconds })
    }

    /// Renders the start or end of typing.
    pub fn typing(
        chat_id: ChatId,
        user_id: UserId,
        thread: Option<MessageId>,
        is_typing: bool,
    ) -> ByteString {
        render(&Frame::Typing { chat_id, user_id, is_typing, thread })
    }
}
