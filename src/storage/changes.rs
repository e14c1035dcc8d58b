//! What changed in a chat since a number: current rows, each once, in its latest state. There is no log to expire.

use super::{AnyConn, Rules, StorageError, chats, members, messages, sql::sql, unread};
use crate::model::{
    Change, Chat, ChatId, ChatSnapshot, Event, Member, MessageId, Pos, Seq, UserId, Viewer,
    event::{MarkerMoved, MembersChanged},
};

/// More changes than this in one chat are not replayed: loading the chat costs less.
pub const MOST: usize = 500;

/// What a user is to be told of a chat.
#[derive(Debug)]
pub enum Since {
    /// The user is not in it.
    Gone,
    /// The user came into it, for the first time or again.
    New { snapshot: Box<ChatSnapshot>, viewer: Viewer },
    /// Too much to tell, or the user knows, or may know, of more than there is.
    Resync { head: Seq, unread: i64 },
    /// What changed, by rising numbers; `unread`: how many messages up to `head` the user has not read.
    Changes { head: Seq, unread: i64, events: Vec<Event> },
}

/// What changed in a chat, as `user` sees it, since the change number `since`. Call it on one consistent view.
pub fn since(
    conn: &mut AnyConn,
    rules: &Rules,
    user: UserId,
    chat: ChatId,
    since: Option<Seq>,
) -> Result<Since, StorageError> {
    let Some(membership) = chats::membership(conn, chat, user)? else { return Ok(Since::Gone) };
    let joined = members::joined_seq(conn, chat, user)?;
    let viewer = membership.viewer(conn)?;
    let chat = membership.chat;
    let Some(since) = since.filter(|since| *since >= joined) else {
        let snapshot = Box::new(chats::snapshot_of(conn, rules, chat)?);
        return Ok(Since::New { snapshot, viewer });
    };
    let (head, unread) = (chat.seq, viewer.unread_count);
    let may_be_lost = since < rules.restored_from && chat.id.0 < rules.restored_from;
    if since > head || may_be_lost {
        return Ok(Since::Resync { head, unread });
    }
    if since == head {
        return Ok(Since::Changes { head, unread, events: Vec::new() });
    }
    let unread_of = |_: &mut AnyConn, reader, _| Ok(if reader == user { unread } else { 0 });
    Ok(match events(conn, rules, &chat, since, unread_of)? {
        Some(events) => Since::Changes { head, unread, events },
        None => Since::Resync { head, unread },
    })
}

/// What everybody in a chat is to be told.
#[derive(Debug)]
pub enum Missed {
    /// There is no such chat any more.
    Gone,
    /// Too much to tell; `present`: those of the listeners who are in the chat.
    Resync { head: Seq, present: Vec<UserId> },
    /// What changed, by rising numbers up to `head`.
    Events { head: Seq, events: Vec<Event> },
}

/// What changed in a chat since the change number `since`, for all who listen to it. Call it on one consistent view.
pub fn missed(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: ChatId,
    since: Seq,
    listeners: &[UserId],
) -> Result<Missed, StorageError> {
    let Some(chat) = chats::find(conn, chat)? else { return Ok(Missed::Gone) };
    let head = chat.seq;
    if since >= head {
        return Ok(Missed::Events { head, events: Vec::new() });
    }
    let unread_of = |conn: &mut AnyConn, reader, read_pos| match listeners.binary_search(&reader) {
        Ok(_) => unread::count(conn, &chat, reader, read_pos),
        Err(_) => Ok(0),
    };
    let Some(mut events) = events(conn, rules, &chat, since, unread_of)? else {
        let present = members::among(conn, chat.id, listeners)?;
        return Ok(Missed::Resync {
            head,
            present: present.into_iter().map(|member| member.user.id).collect(),
        });
    };
    for event in &mut events {
        if let Change::MembersChanged(change) = &mut event.change
            && !change.added.is_empty()
        {
            change.snapshot = Some(chats::snapshot_of(conn, rules, chat.clone())?);
        }
    }
    Ok(Missed::Events { head, events })
}

/// `unread_of`: how many messages a reader whose marker moved has not read, where it is to be told. `None`: there are
/// too many.
fn events(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: &Chat,
    since: Seq,
    unread_of: impl FnMut(&mut AnyConn, UserId, Pos) -> Result<i64, StorageError>,
) -> Result<Option<Vec<Event>>, StorageError> {
    let known = messages::posted_up_to(conn, chat, since)?;
    if chat.last_pos - known > MOST as i64 {
        return Ok(None);
    }
    let mut changes = message_changes(conn, rules, chat, since, known)?;
    let Some(members) = member_changes(conn, chat, since)? else { return Ok(None) };
    changes.extend(members);
    if chat.member_count <= rules.receipts_max_members {
        changes.extend(marker_changes(conn, chat, since, unread_of)?);
    }
    let (meta_seq,) = sql!("SELECT meta_seq FROM chats WHERE id = ?", chat.id).one::<(i64,)>(conn)?;
    if meta_seq > since {
        changes.push((
            meta_seq,
            Change::ChatRenamed { snapshot: chats::snapshot_of(conn, rules, chat.clone())? },
        ));
    }
    changes.sort_by_key(|(seq, _)| *seq);
    let events: Vec<Event> =
        changes.into_iter().map(|(seq, change)| Event { chat: chat.id, seq, change }).collect();
    Ok((events.len() <= MOST).then_some(events))
}

type Changes = Vec<(Seq, Change)>;

/// Messages posted since, in their latest state, and older ones changed since.
fn message_changes(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: &Chat,
    since: Seq,
    known: i64,
) -> Result<Changes, StorageError> {
    let mut found = messages::range(conn, chat.id, known + 1..=chat.last_pos)?;
    found.extend(messages::changed(conn, chat.id, since, known, MOST as i64 + 1)?);
    let readers = members::readers(conn, chat, rules.receipts_max_members)?;
    let mut last_message = messages::last_live(conn, chat)?;
    if let Some(last) = &mut last_message {
        last.note_readers(&readers);
    }
    let mut changes = Vec::with_capacity(found.len());
    for mut message in found {
        message.note_readers(&readers);
        let seq = message.seq;
        let change = if message.is_deleted {
            Change::MessageDeleted { tombstone: message, last_message: last_message.clone() }
        } else if message.pos > known {
            Change::MessagePosted { message }
        } else {
            Change::MessageEdited { message }
        };
        changes.push((seq, change));
    }
    Ok(changes)
}

/// Those who came, went or changed roles, one event for each number. `None`: there are too many.
fn member_changes(conn: &mut AnyConn, chat: &Chat, since: Seq) -> Result<Option<Changes>, StorageError> {
    let rows = sql!(
        "SELECT user_id, member_seq, joined_seq, left_seq FROM members \
         WHERE chat_id = ? AND member_seq > ? ORDER BY member_seq LIMIT ?",
        chat.id,
        since,
        MOST as i64 + 1
    )
    .rows::<(i64, i64, i64, Option<i64>)>(conn)?;
    if rows.len() > MOST {
        return Ok(None);
    }
    let ids: Vec<UserId> = rows.iter().map(|row| UserId(row.0)).collect();
    let present = members::among(conn, chat.id, &ids)?;
    let find = |user: UserId| -> Option<Member> { present.iter().find(|m| m.user.id == user).cloned() };
    let mut changes: Changes = Vec::new();
    for (user, seq, joined, left) in rows {
        if changes.last().is_none_or(|(last, _)| *last != seq) {
            let change = MembersChanged {
                added: Vec::new(),
                removed: Vec::new(),
                changed: Vec::new(),
                member_count: chat.member_count,
                snapshot: None,
                feeds: Vec::new(),
            };
            changes.push((seq, Change::MembersChanged(change)));
        }
        let Some((_, Change::MembersChanged(change))) = changes.last_mut() else { continue };
        match (left, find(UserId(user))) {
            (Some(_), _) | (None, None) => change.removed.push(UserId(user)),
            (None, Some(member)) if joined > since => change.added.push(member),
            (None, Some(member)) => change.changed.push(member),
        }
    }
    Ok(Some(changes))
}

/// Read markers of members that moved since, apart from those that came with joining.
fn marker_changes(
    conn: &mut AnyConn,
    chat: &Chat,
    since: Seq,
    mut unread_of: impl FnMut(&mut AnyConn, UserId, Pos) -> Result<i64, StorageError>,
) -> Result<Changes, StorageError> {
    let rows = sql!(
        "SELECT user_id, read_seq, read_pos, read_message_id FROM members \
         WHERE chat_id = ? AND read_seq > ? AND read_seq > joined_seq AND left_seq IS NULL",
        chat.id,
        since
    )
    .rows::<(i64, i64, i64, Option<i64>)>(conn)?;
    let mut changes = Vec::with_capacity(rows.len());
    for (user, seq, read_pos, message) in rows {
        let (user, Some(message)) = (UserId(user), message) else { continue };
        // Only the reader's own sockets are told what is left.
        let unread_count = unread_of(conn, user, read_pos)?;
        let last_read_message_id = MessageId(message);
        changes.push((seq, Change::MarkerMoved(MarkerMoved { user, last_read_message_id, unread_count })));
    }
    Ok(changes)
}
