//! Renders the events of a change. Each is rendered once, and all sockets share the bytes.

use std::collections::BTreeMap;

use bytestring::ByteString;

use super::{
    ChatView, Frame, Links, MemberView, MessageView, Perspective, ProfileView, UserView, message::raw, render,
};
use crate::core::model::{
    Change, ChatId, ChatSnapshot, Custom, DraftChanged, Event, Member, Message, MessageId, Seq, Timestamp,
    UserCard, UserId, Viewer,
    event::{ChangedRoot, MarkerMoved, MeChanged, MembersChanged, ThreadChange},
    threads::{OwnChange, OwnKind, OwnThread},
};

/// Renders a message as JSON: the REST answer, and the `message` field of its event.
pub fn message(message: &Message, links: &Links) -> ByteString {
    render(&MessageView::new(message, links))
}

/// Adds `mentions_ignored`, the mentioned users who are no members, to a message as JSON.
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
/// `message` is the rendered message of a posted or edited message.
pub fn all(event: &Event, message: Option<&ByteString>, links: &Links) -> Vec<ByteString> {
    let root = event.change.thread().and_then(|thread| thread.root.as_deref());
    let root = root.map(|root| changed_root(event, root, links));
    root.into_iter().chain(shared(event, message, links)).chain(second(event)).collect()
}

/// Renders the same for connections that do not know threads, if the event is about a reply that is only in a thread.
/// They get the root instead: as the event has it, which may have been deleted since, or as it was `read` for the event.
pub fn without_threads(event: &Event, read: Option<&Message>, links: &Links) -> Vec<ByteString> {
    let root = match event.change.thread().and_then(|thread| thread.root.as_deref()) {
        Some(root) => Some(changed_root(event, root, links)),
        None => read.map(|root| around("message_updated", event, &message(root, links), None)),
    };
    root.into_iter().chain(second(event)).collect()
}

fn changed_root(event: &Event, root: &ChangedRoot, links: &Links) -> ByteString {
    let ChangedRoot { message: root, is_new, last_message } = root;
    if root.is_deleted {
        return render(&Frame::MessageDeleted {
            chat_id: event.chat,
            seq: event.seq,
            message_id: root.id,
            message: MessageView::new(root, links),
            last_message: last_message.as_ref().map(|message| MessageView::new(message, links)),
            thread_info: None,
        });
    }
    let kind = if *is_new { "new_message" } else { "message_updated" };
    around(kind, event, &message(root, links), None)
}

/// Renders what changed for one user alone, with the sequence number of the event.
pub fn own(event: &Event, own: &OwnChange) -> ByteString {
    let (chat_id, seq) = (event.chat, event.seq);
    render(&match own.kind {
        OwnKind::ThreadFollowed(OwnThread { root, is_followed, unread, mentions, last_read_message_id }) => {
            Frame::ThreadFollowed { chat_id, seq, root, is_followed, unread, mentions, last_read_message_id }
        }
        OwnKind::ThreadRead(OwnThread { root, is_followed, unread, mentions, last_read_message_id }) => {
            Frame::ThreadRead { chat_id, seq, root, is_followed, unread, mentions, last_read_message_id }
        }
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
        Change::ChatRenamed { snapshot } => {
            Frame::ChatUpdated { chat_id, seq, chat: ChatView::new(snapshot, Perspective::Everybody, links) }
        }
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
            Change::ChatRenamed { snapshot: if names_people { outside } else { outside.without_people() } }
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
    render(&Frame::Read {
        chat_id,
        seq,
        user_id,
        last_read_message_id,
        unread_count: None,
        unread_mentions: None,
        me: None,
    })
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

/// Renders a change of the receiver's own draft.
pub fn draft_changed(changed: &DraftChanged) -> ByteString {
    let DraftChanged { chat: chat_id, thread, draft, .. } = changed;
    render(&Frame::DraftChanged { chat_id: *chat_id, thread: *thread, draft: draft.as_ref() })
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
pub fn typing(chat_id: ChatId, user_id: UserId, thread: Option<MessageId>, is_typing: bool) -> ByteString {
    render(&Frame::Typing { chat_id, user_id, is_typing, thread })
}
