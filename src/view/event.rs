//! How events are shown: each is rendered once, and all sockets share the bytes.

use std::collections::BTreeMap;

use bytestring::ByteString;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ChatForAll, ChatView, Links, MemberView, MessageView, Perspective, UserView, render};
use crate::core::model::{
    Change, ChatId, ChatSnapshot, Event, Me, Member, Message, MessageId, Reaction, Seq, Timestamp, UserCard,
    UserId, Viewer,
    event::{MarkerMoved, MeChanged, MembersChanged},
};

/// What a socket is sent of the chats: one JSON object, told apart by `type`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = OtherEvent)]
pub enum Frame<'a> {
    /// A message is gone: its tombstone, and what is now the last message of the chat that is not deleted.
    MessageDeleted {
        chat_id: ChatId,
        seq: Seq,
        message_id: MessageId,
        message: MessageView<'a>,
        #[schema(required)]
        last_message: Option<MessageView<'a>>,
    },
    /// All reactions of a message, as they are now.
    ReactionUpdated { chat_id: ChatId, seq: Seq, message_id: MessageId, reactions: &'a [Reaction] },
    /// Somebody types, or has stopped. It does not last and has no number.
    Typing { chat_id: ChatId, user_id: UserId, is_typing: bool },
    /// Somebody's read marker moved.
    Read {
        chat_id: ChatId,
        /// Missing in large chats, where only the reader hears of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        seq: Option<Seq>,
        user_id: UserId,
        last_read_message_id: MessageId,
        /// To the reader's own sockets only.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        unread_count: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        me: Option<Me>,
    },
    /// To one's own sockets only.
    MeUpdated { chat_id: ChatId, seq: Seq, me: Me, unread_count: i64 },
    /// Members who came, ids of those who went, members whose role changed.
    MembersChanged {
        chat_id: ChatId,
        seq: Seq,
        added: Vec<MemberView<'a>>,
        removed: &'a [UserId],
        changed: Vec<MemberView<'a>>,
        member_count: i64,
    },
    /// A chat is new to the receiver: it was made, or they were added to it.
    ChatCreated { chat_id: ChatId, seq: Seq, chat: ChatView<'a> },
    /// A chat has a new title.
    ChatUpdated {
        chat_id: ChatId,
        seq: Seq,
        #[schema(value_type = ChatForAll)]
        chat: ChatView<'a>,
    },
    /// The chat was deleted, or the receiver is not in it any more. Nothing of it follows.
    ChatDeleted {
        chat_id: ChatId,
        /// Missing where a user who comes back is told of a chat that they are not in any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        seq: Option<Seq>,
    },
    /// Somebody with whom one shares a dm has come or gone.
    Presence { user_id: UserId, is_online: bool, last_seen: Timestamp },
    /// Somebody with whom one shares a dm, or oneself, has another name or picture.
    UserUpdated { user: UserView<'a> },
    /// The first of all: from where on events are sent.
    Hello {
        user_id: UserId,
        server_version: &'static str,
        /// How often the server gives a sign of life.
        heartbeat_seconds: u64,
        /// The number of the latest change of each of the caller's chats, by chat id.
        #[schema(value_type = BTreeMap<String, i64>)]
        chats: &'a BTreeMap<ChatId, Seq>,
        /// Those online with whom one shares a dm.
        users_online: &'a [UserId],
    },
    /// What happened is not replayed: the chat is to be loaded again.
    Resync { chat_id: ChatId, seq: Seq },
}

/// The events of a message that are wrapped around it once it is rendered.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = MessageEvent)]
pub enum MessageFrame<'a> {
    /// A message was posted.
    NewMessage { chat_id: ChatId, seq: Seq, message: MessageView<'a> },
    /// A message was edited.
    MessageUpdated { chat_id: ChatId, seq: Seq, message: MessageView<'a> },
}

/// Everything that a socket is sent without having asked.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = Event)]
#[expect(clippy::large_enum_variant, reason = "it is there to be described; nobody makes one")]
pub enum LiveEvent<'a> {
    Message(MessageFrame<'a>),
    Other(Frame<'a>),
}

/// The frames that a change causes, each ready to be shared.
pub mod frames {
    use super::*;

    /// A message as JSON: the answer over REST, and the heart of its event.
    pub fn message(message: &Message, links: &Links) -> ByteString {
        render(&MessageView::new(message, links))
    }

    /// The event for everybody in the chat, where there is one that is the same for all. `message`: the rendered
    /// message of a change that has one.
    pub fn shared(event: &Event, message: Option<&ByteString>, links: &Links) -> Option<ByteString> {
        let (chat_id, seq) = (event.chat, event.seq);
        let frame = match &event.change {
            Change::MessagePosted { .. } => return Some(around("new_message", event, message?)),
            Change::MessageEdited { .. } => return Some(around("message_updated", event, message?)),
            Change::MessageDeleted { tombstone, last_message } => Frame::MessageDeleted {
                chat_id,
                seq,
                message_id: tombstone.id,
                message: MessageView::new(tombstone, links),
                last_message: last_message.as_ref().map(|message| MessageView::new(message, links)),
            },
            Change::ReactionsChanged { message, reactions } => {
                Frame::ReactionUpdated { chat_id, seq, message_id: *message, reactions }
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
            Change::ChatDeleted => Frame::ChatDeleted { chat_id, seq: Some(seq) },
            Change::ChatCreated { .. } | Change::MeChanged(_) => return None,
        };
        Some(render(&frame))
    }

    /// The event for those who follow a public room from outside: who is in it and what it is called, not what is said.
    /// With `names_people` false it tells how many there are, and nobody by name.
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
        shared(&Event { chat: event.chat, seq: event.seq, change }, None, links)
    }

    fn views<'a>(members: &'a [Member], links: &Links) -> Vec<MemberView<'a>> {
        members.iter().map(|member| MemberView::new(member, links)).collect()
    }

    /// An event around a message that is rendered already.
    fn around(kind: &str, event: &Event, message: &ByteString) -> ByteString {
        let (chat, seq) = (event.chat, event.seq);
        format!(r#"{{"type":"{kind}","chat_id":{chat},"seq":{seq},"message":{message}}}"#).into()
    }

    /// Somebody has read.
    fn read(chat_id: ChatId, seq: Option<Seq>, moved: &MarkerMoved) -> ByteString {
        let MarkerMoved { user: user_id, last_read_message_id, .. } = *moved;
        render(&Frame::Read { chat_id, seq, user_id, last_read_message_id, unread_count: None, me: None })
    }

    /// The same to the reader's own sockets.
    pub fn own_read(chat_id: ChatId, seq: Option<Seq>, moved: &MarkerMoved) -> ByteString {
        let MarkerMoved { user: user_id, last_read_message_id, unread_count, me } = *moved;
        let unread_count = Some(unread_count);
        render(&Frame::Read { chat_id, seq, user_id, last_read_message_id, unread_count, me })
    }

    /// One has set something for oneself.
    pub fn me_updated(chat_id: ChatId, seq: Seq, changed: &MeChanged) -> ByteString {
        let MeChanged { me, unread_count, .. } = *changed;
        render(&Frame::MeUpdated { chat_id, seq, me, unread_count })
    }

    /// The chat is new to a user.
    pub fn chat_created(snapshot: &ChatSnapshot, seq: Seq, viewer: &Viewer, links: &Links) -> ByteString {
        let chat = ChatView::new(snapshot, Perspective::Of(viewer), links);
        render(&Frame::ChatCreated { chat_id: snapshot.chat.id, seq, chat })
    }

    /// The chat is gone, or one is not in it any more.
    pub fn chat_deleted(chat_id: ChatId, seq: Option<Seq>) -> ByteString {
        render(&Frame::ChatDeleted { chat_id, seq })
    }

    /// The chat is to be loaded again, after which only what is above `seq` is news.
    pub fn resync(chat_id: ChatId, seq: Seq) -> ByteString {
        render(&Frame::Resync { chat_id, seq })
    }

    /// Somebody has come or gone.
    pub fn presence(user_id: UserId, is_online: bool, last_seen: Timestamp) -> ByteString {
        render(&Frame::Presence { user_id, is_online, last_seen })
    }

    /// Somebody has another name or picture.
    pub fn user_updated(user: &UserCard, links: &Links) -> ByteString {
        render(&Frame::UserUpdated { user: UserView::new(user, links) })
    }

    /// The first event of a connection.
    pub fn hello(
        user_id: UserId,
        heartbeat_seconds: u64,
        chats: &BTreeMap<ChatId, Seq>,
        users_online: &[UserId],
    ) -> ByteString {
        let server_version = env!("CARGO_PKG_VERSION");
        render(&Frame::Hello { user_id, server_version, heartbeat_seconds, chats, users_online })
    }

    /// Somebody types, or stopped.
    pub fn typing(chat_id: ChatId, user_id: UserId, is_typing: bool) -> ByteString {
        render(&Frame::Typing { chat_id, user_id, is_typing })
    }
}
