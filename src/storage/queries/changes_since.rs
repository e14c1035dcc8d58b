//! Catch-up: what changed in a chat since a sequence number. It returns current rows, each once, in their
//! latest state. There is no event log that could expire.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    changed_members, changed_mentions, changed_threads, chat_snapshot,
    membership::{self, MeRow},
    pinned_messages, unread, unread_overview,
};
use crate::{
    core::model::{
        Change, Chat, ChatId, ChatSnapshot, Event, Lane, Me, Message, MessageId, Pos, Seq, UserId, Viewer,
        event::{MarkerMoved, MeChanged, MembersChanged, ThreadChange},
        threads::UnreadInChat,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        db::{row::row, sql::sql},
        tables::{
            chats, members, mentions, merged_guests, messages,
            positions::{self, PostedUpTo},
            users,
        },
    },
};

/// Above this number of changes in one chat the client reloads the chat, which costs less than a replay.
pub const MAX_EVENTS: usize = 500;

/// The catch-up result for one user and one chat.
#[derive(Debug)]
pub enum Since {
    /// The user is not a member. `left`: the number of the change by which they left or the chat was deleted,
    /// where known.
    Gone { left: Option<Seq> },
    /// The user joined or rejoined the chat after `since`.
    New { snapshot: Box<ChatSnapshot>, viewer: Viewer, unread: UnreadInChat },
    /// Too many changes to replay, or the client has or may have seen numbers that no longer exist.
    Resync { head: Seq, unread: UnreadInChat },
    /// The changes in ascending order of number. `unread`: what is unread for the user up to `head`.
    Changes { head: Seq, unread: UnreadInChat, events: Vec<Event> },
}

/// Returns what changed in a chat for `user` since change number `since`. Must run on one consistent
/// snapshot.
pub fn since(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    user: UserId,
    chat: ChatId,
    since: Option<Seq>,
) -> Result<Since, StorageError> {
    let Some(membership) = membership::membership(conn, chat, user)? else {
        return Ok(Since::Gone { left: members::left_seq(conn, chat, user)? });
    };
    let joined = members::joined_seq(conn, chat, user)?;
    let unread = unread_overview::of_membership(conn, &membership)?;
    let viewer = membership.viewer_with(unread.count, unread.mentions);
    let chat = membership.chat;
    let Some(since) = since.filter(|since| *since >= joined) else {
        let snapshot = Box::new(chat_snapshot::snapshot_of(conn, policy, chat)?);
        return Ok(Since::New { snapshot, viewer, unread });
    };
    let head = chat.seq;
    let may_be_lost = since < policy.restored_from && chat.id.0 < policy.restored_from;
    if since > head || may_be_lost {
        return Ok(Since::Resync { head, unread });
    }
    if since == head {
        return Ok(Since::Changes { head, unread, events: Vec::new() });
    }
    Ok(match events(conn, policy, &chat, since, &[user])? {
        Some(events) => Since::Changes { head, unread, events },
        None => Since::Resync { head, unread },
    })
}

/// The catch-up result for all listeners of a chat.
#[derive(Debug)]
pub enum Backfilled {
    /// The chat does not exist any more.
    Gone,
    /// Too many changes to replay. `present`: the listeners who are members.
    Resync { head: Seq, present: Vec<UserId> },
    /// The changes in ascending order of number, up to `head`.
    Events { head: Seq, events: Vec<Event> },
}

/// Returns what changed in a chat since change number `since`, for all listeners. `listeners` is sorted by
/// id. Must run on one consistent snapshot.
pub fn backfill(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    since: Seq,
    listeners: &[UserId],
) -> Result<Backfilled, StorageError> {
    let Some(chat) = chats::find(conn, chat)? else { return Ok(Backfilled::Gone) };
    let head = chat.seq;
    if since >= head {
        return Ok(Backfilled::Events { head, events: Vec::new() });
    }
    let Some(mut events) = events(conn, policy, &chat, since, listeners)? else {
        let present = members::among(conn, chat.id, listeners)?;
        return Ok(Backfilled::Resync {
            head,
            present: present.into_iter().map(|member| member.user.id).collect(),
        });
    };
    split_additions(conn, &chat, since, &mut events)?;
    changed_mentions::add(conn, &chat, listeners, &mut events)?;
    for event in &mut events {
        if let Change::MembersChanged(change) = &mut event.change
            && !change.added.is_empty()
        {
            change.snapshot = Some(chat_snapshot::snapshot_of(conn, policy, chat.clone())?);
        }
    }
    Ok(Backfilled::Events { head, events })
}

/// Splits an item that was both added and changed since into two events, one for each number. A resumed
/// socket may know the first one already, and then receives only the second.
fn split_additions(
    conn: &mut AnyConn,
    chat: &Chat,
    since: Seq,
    events: &mut Vec<Event>,
) -> Result<(), StorageError> {
    let created: HashMap<MessageId, Seq> =
        messages::posted_and_changed(conn, chat, since)?.into_iter().collect();
    let mut additions = BTreeMap::<Seq, Change>::new();
    for event in events.iter_mut() {
        match &mut event.change {
            Change::MessagePosted { message, thread } => {
                changed_threads::split_root(&created, thread, &mut additions);
                let Some(seq) = created.get(&message.id) else { continue };
                let (message, thread) = (message.clone(), std::mem::take(thread));
                let without_root = ThreadChange { root: None, ..thread.clone() };
                additions
                    .insert(*seq, Change::MessagePosted { message: message.clone(), thread: without_root });
                event.change = Change::MessageEdited { message, thread };
            }
            Change::MessageDeleted { thread, .. } => {
                changed_threads::split_root(&created, thread, &mut additions);
            }
            Change::MembersChanged(change) => {
                for member in std::mem::take(&mut change.added) {
                    let joined = members::joined_seq(conn, chat.id, member.user.id)?;
                    if joined == event.seq {
                        change.added.push(member);
                        continue;
                    }
                    change.changed.push(member.clone());
                    let empty = || Change::MembersChanged(MembersChanged::none(chat.member_count));
                    if let Change::MembersChanged(joins) = additions.entry(joined).or_insert_with(empty) {
                        joins.added.push(member);
                    }
                }
            }
            _ => {}
        }
    }
    for (seq, change) in additions {
        let existing = events.iter_mut().find(|event| event.seq == seq);
        match (existing.map(|event| &mut event.change), change) {
            (Some(Change::MembersChanged(existing)), Change::MembersChanged(additions)) => {
                existing.added.extend(additions.added);
            }
            (Some(existing), addition) if changed_threads::is_of_root(existing, &addition) => {
                *existing = changed_threads::with_root(existing, addition);
            }
            (_, change) => events.push(Event::new(chat.id, seq, change)),
        }
    }
    events.sort_by_key(|event| event.seq);
    Ok(())
}

/// Returns the events since a number, or `None` if there are too many. `listeners`, sorted by id, also
/// receive their own private changes.
fn events(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &Chat,
    since: Seq,
    listeners: &[UserId],
) -> Result<Option<Vec<Event>>, StorageError> {
    let known = positions::posted_up_to(conn, chat, since)?;
    if chat.last_pos - known.last + chat.reply_count - known.replies > MAX_EVENTS as i64 {
        return Ok(None);
    }
    let mut changes = message_changes(conn, policy, chat, since, known)?;
    pinned_messages::add_changes(conn, policy, chat, (since, MAX_EVENTS as i64 + 1), &mut changes)?;
    let Some(members) = changed_members::changes(conn, chat, since, MAX_EVENTS)? else { return Ok(None) };
    changes.extend(members);
    if chat.member_count <= policy.receipts_max_members {
        changes.extend(marker_changes(conn, chat, since, listeners)?);
    }
    // The marker event with the same number already contains it.
    let of_listeners = me_changes(conn, chat, since, listeners)?;
    let covered: HashSet<Seq> = changes.iter().map(|(seq, _)| *seq).collect();
    changes.extend(of_listeners.into_iter().filter(|(seq, _)| !covered.contains(seq)));
    changes.extend(merges(conn, chat, since)?);
    let meta_seq = sql!("SELECT meta_seq FROM chats WHERE id = ?", chat.id).one::<i64>(conn)?;
    if meta_seq > since {
        changes.push((
            meta_seq,
            Change::ChatRenamed { snapshot: chat_snapshot::snapshot_of(conn, policy, chat.clone())? },
        ));
    }
    changes.sort_by_key(|(seq, _)| *seq);
    let mut events: Vec<Event> =
        changes.into_iter().map(|(seq, change)| Event::new(chat.id, seq, change)).collect();
    let is_complete = changed_threads::add(conn, chat, since, listeners, &mut events)?;
    Ok((is_complete && events.len() <= MAX_EVENTS).then_some(events))
}

type Changes = Vec<(Seq, Change)>;

/// Returns the handovers of guests' messages.
fn merges(conn: &mut AnyConn, chat: &Chat, since: Seq) -> Result<Changes, StorageError> {
    let merges = merged_guests::since(conn, chat.id, since, MAX_EVENTS as i64 + 1)?;
    let mut changes = Vec::with_capacity(merges.len());
    for (from, user, seq) in merges {
        if let Some(user) = users::cards(conn, &[user])?.pop() {
            changes.push((seq, Change::UserMerged { from, user }));
        }
    }
    Ok(changes)
}

/// Returns messages posted since, in their latest state, and older ones that changed since.
fn message_changes(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &Chat,
    since: Seq,
    known: PostedUpTo,
) -> Result<Changes, StorageError> {
    let mut found = messages::range(conn, chat.id, known.last + 1..=chat.last_pos)?;
    if known.replies < chat.reply_count {
        found.extend(messages::range(conn, chat.id, -chat.reply_count..=-known.replies - 1)?);
    }
    found.extend(messages::changed(
        conn,
        chat.id,
        since,
        -known.replies..=known.last,
        MAX_EVENTS as i64 + 1,
    )?);
    let readers = members::readers(conn, chat, policy.receipts_max_members)?;
    let mut last_message = messages::last_live(conn, chat)?;
    if let Some(last) = &mut last_message {
        last.note_readers(&readers);
    }
    let mut changes = Vec::with_capacity(found.len());
    found.iter_mut().for_each(|message| message.note_readers(&readers));
    let is_new = |message: &Message| message.pos > known.last || message.pos < -known.replies;
    let (found, mut threads) = changed_threads::split_roots(conn, chat, (found, &last_message), &is_new)?;
    for (number, message) in found.into_iter().enumerate() {
        let seq = message.seq;
        let thread = threads.remove(&number).unwrap_or_default();
        let change = if message.is_deleted {
            let last_message = last_message.clone();
            Change::MessageDeleted { tombstone: message, thread, last_message, unpinned: None }
        } else if is_new(&message) {
            Change::MessagePosted { message, thread }
        } else {
            Change::MessageEdited { message, thread }
        };
        changes.push((seq, change));
    }
    Ok(changes)
}

row! {
    /// A member's read marker and preferences.
    struct OwnRow from members m {
        user_id: UserId,
        read_pos: Pos,
        me: MeRow,
    }
}

row! {
    /// A read marker that moved.
    struct MarkerRow from members m {
        read_seq: Seq,
        read_message_id: Option<MessageId>,
        own: OwnRow,
    }
}

row! {
    /// Preferences that changed.
    struct ChangedMeRow from members m {
        me_seq: Seq,
        own: OwnRow,
    }
}

/// Returns the read markers that moved since, except those set by joining.
fn marker_changes(
    conn: &mut AnyConn,
    chat: &Chat,
    since: Seq,
    listeners: &[UserId],
) -> Result<Changes, StorageError> {
    let rows = sql!(
        "SELECT {} FROM members m WHERE m.chat_id = ? AND m.read_seq > ? AND m.read_seq > m.joined_seq \
         AND m.left_seq IS NULL AND m.joined_seq > 0",
        chat.id,
        since
    )
    .rows::<MarkerRow>(conn)?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let (user, Some(last_read_message_id)) = (row.own.user_id, row.read_message_id) else { continue };
        let own = own(conn, chat, row.own, listeners)?;
        let (me, (unread_count, unread_mentions)) =
            own.map_or((None, (0, 0)), |(me, counts)| (Some(me), counts));
        let moved = MarkerMoved { user, last_read_message_id, unread_count, unread_mentions, me };
        changes.push((row.read_seq, Change::MarkerMoved(moved)));
    }
    Ok(changes)
}

/// Returns the listeners' own preferences that changed since, except those set by joining.
fn me_changes(
    conn: &mut AnyConn,
    chat: &Chat,
    since: Seq,
    listeners: &[UserId],
) -> Result<Changes, StorageError> {
    let ids: Vec<i64> = listeners.iter().map(|user| user.0).collect();
    let rows: Vec<ChangedMeRow> = match conn {
        AnyConn::Sqlite(_) => sql!(
            "SELECT {} FROM members m WHERE m.chat_id = ? AND m.user_id IN ? AND m.me_seq > ? \
             AND m.me_seq > m.joined_seq AND m.left_seq IS NULL",
            chat.id,
            ids.as_slice(),
            since
        )
        .rows(conn)?,
        AnyConn::Postgres(_) => sql!(
            // A look-up by key for each listener, regardless of the number of members.
            "SELECT {} FROM unnest(?) AS asked (id) CROSS JOIN LATERAL (SELECT * FROM members \
                WHERE chat_id = ? AND user_id = asked.id LIMIT 1) m \
             WHERE m.me_seq > ? AND m.me_seq > m.joined_seq AND m.left_seq IS NULL",
            ids,
            chat.id,
            since
        )
        .rows(conn)?,
    };
    let mut changes = Vec::with_capacity(rows.len());
    for ChangedMeRow { me_seq, own: row } in rows {
        let user = row.user_id;
        let Some((me, (unread_count, unread_mentions))) = own(conn, chat, row, listeners)? else { continue };
        changes.push((me_seq, Change::MeChanged(MeChanged { user, me, unread_count, unread_mentions })));
    }
    Ok(changes)
}

/// The numbers of unread messages and mentions.
type UnreadNumbers = (i64, i64);

/// Returns a listener's own preferences and the counts of unread messages and mentions, which are sent to that user only. `None` for other
/// users.
fn own(
    conn: &mut AnyConn,
    chat: &Chat,
    OwnRow { user_id, read_pos, me }: OwnRow,
    listeners: &[UserId],
) -> Result<Option<(Me, UnreadNumbers)>, StorageError> {
    if listeners.binary_search(&user_id).is_err() {
        return Ok(None);
    }
    let after = unread::counted_after(read_pos, me.unread_pos);
    let mentions = mentions::count_after(conn, Lane::Chat(chat.id), user_id, after)?;
    Ok(Some((me.of(chat.kind), (unread::count(conn, chat, user_id, after)?, mentions))))
}
