//! Mentions: the users mentioned by a new or edited message, and those that follow a thread because of that.

use std::collections::{HashMap, HashSet};

use super::threads::{self, begin};
use crate::{
    core::model::{
        Chat, ChatId, Lane, Message, Pos, Seq, UserId,
        mentions::{Mentions, MentionsChange, NewMentions},
        records::LISTED_MEMBERS,
        threads::{Follow, OwnChange, OwnChanges, OwnKind, Thread},
    },
    storage::{
        AnyConn, StorageError,
        db::sql::sql,
        queries::{membership, threads as thread_queries},
        tables::{
            follows, members,
            mentions::{self as rows, EVERYONE, MentionPlace, MentionRow, ResolvedMentions},
            positions, threads as heads,
        },
    },
};

/// Finds out who is mentioned. The sender and users blocked by the sender, or the other way round, are not.
pub(super) fn resolve(
    conn: &mut AnyConn,
    chat: ChatId,
    sender: UserId,
    new: &NewMentions,
) -> Result<ResolvedMentions, StorageError> {
    let mut mentions = new.mentions.clone();
    let asked = mentions.named();
    let named = active_members(conn, chat, &asked)?;
    let is_member = |user: &UserId| named.binary_search_by_key(user, |(member, _)| *member).is_ok();
    mentions.users.retain(|mention| is_member(&mention.id));
    let ignored: Vec<UserId> = asked.into_iter().filter(|user| !is_member(user)).collect();
    let row = |user_id, weight, is_here| MentionRow { user_id, weight, is_here };
    let mut blocked = Vec::new();
    let connected: Vec<UserId> = if mentions.here { new.connected.clone() } else { Vec::new() };
    let connected = active_members(conn, chat, &connected)?;
    let rows = if mentions.everyone {
        blocked = blocked_members(conn, chat, sender)?;
        let left_out: HashSet<UserId> = blocked.iter().copied().chain([sender]).collect();
        let mut rows = vec![row(EVERYONE, 1, false)];
        rows.extend(left_out.iter().map(|user| row(*user, -1, false)));
        // An edit may leave out everyone else.
        let here = connected.into_iter().filter(|(user, _)| !left_out.contains(user));
        rows.extend(here.map(|(user, _)| row(user, 0, true)));
        rows
    } else {
        let mut all: Vec<MentionRow> = connected.into_iter().map(|(user, _)| row(user, 1, true)).collect();
        let here: HashSet<UserId> = all.iter().map(|row| row.user_id).collect();
        all.extend(
            named.iter().filter(|(user, _)| !here.contains(user)).map(|(user, _)| row(*user, 1, false)),
        );
        all.retain(|row| row.user_id != sender);
        if !all.is_empty() {
            blocked = blocked_among(conn, sender, &all)?;
            all.retain(|row| !blocked.contains(&row.user_id));
        }
        all
    };
    let named = named.into_iter().filter(|(user, _)| *user != sender).collect();
    Ok(ResolvedMentions { mentions, ignored, blocked, rows, named })
}

/// Returns those of `users` that are active members, each with the number of the membership, in order of user id.
fn active_members(
    conn: &mut AnyConn,
    chat: ChatId,
    users: &[UserId],
) -> Result<Vec<(UserId, Seq)>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sql!(
        "SELECT m.user_id, m.joined_seq FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.chat_id = ? AND m.user_id IN ? AND m.left_seq IS NULL AND u.is_active ORDER BY m.user_id",
        chat,
        ids.as_slice()
    );
    Ok(rows.rows(conn)?)
}

/// Returns the members of a chat that a user has blocked, or who have blocked the user.
fn blocked_members(conn: &mut AnyConn, chat: ChatId, user: UserId) -> Result<Vec<UserId>, StorageError> {
    // From the few blocks to the members, not the other way round.
    let rows = sql!(
        "SELECT m.user_id FROM ( \
            SELECT blocked_id AS id FROM blocks WHERE blocker_id = ? UNION SELECT blocker_id FROM blocks WHERE blocked_id = ? \
         ) b CROSS JOIN members m \
         WHERE m.chat_id = ? AND m.user_id = b.id AND m.left_seq IS NULL AND m.joined_seq > 0",
        user,
        user,
        chat
    );
    Ok(rows.rows(conn)?)
}

/// Returns those of the mentioned users that a user has blocked, or who have blocked the user.
fn blocked_among(
    conn: &mut AnyConn,
    user: UserId,
    mentioned: &[MentionRow],
) -> Result<Vec<UserId>, StorageError> {
    let ids: Vec<i64> = mentioned.iter().map(|row| row.user_id.0).collect();
    let rows = sql!(
        "SELECT blocked_id FROM blocks WHERE blocker_id = ? AND blocked_id IN ? \
         UNION SELECT blocker_id FROM blocks WHERE blocked_id = ? AND blocker_id IN ?",
        user,
        ids.as_slice(),
        user,
        ids.as_slice()
    );
    Ok(rows.rows(conn)?)
}

/// The places of a message: in the timeline, and in a thread.
struct Places {
    timeline: Option<Pos>,
    thread: Option<(Thread, Pos)>,
}

impl Places {
    fn of(conn: &mut AnyConn, message: &Message) -> Result<Self, StorageError> {
        let timeline = Some(message.pos).filter(|_| message.is_in_timeline());
        let mut thread = None;
        if let Some(root) = message.thread
            && let Some(head) = heads::find(conn, root)?
            && let Some(pos) = heads::pos_of(conn, &head, message.id)?
        {
            thread = Some((head, pos));
        }
        Ok(Self { timeline, thread })
    }

    fn lanes(&self, chat: ChatId) -> impl Iterator<Item = (Lane, Pos)> {
        let timeline = self.timeline.map(|pos| (Lane::Chat(chat), pos));
        let thread = self.thread.as_ref().map(|(thread, pos)| (Lane::Thread(thread.root), *pos));
        timeline.into_iter().chain(thread)
    }
}

/// Stores who is mentioned by a new message. `thread`: the thread of a reply, and its position there. Users mentioned by
/// name in a thread follow it from there.
pub(super) fn add(
    conn: &mut AnyConn,
    message: &Message,
    thread: Option<(Thread, Pos)>,
    resolved: &ResolvedMentions,
) -> Result<OwnChanges, StorageError> {
    let places = Places { timeline: Some(message.pos).filter(|_| message.is_in_timeline()), thread };
    store(conn, message, message.seq, &places, &resolved.rows)?;
    let mut own = follow_named(conn, message, &places, &resolved.rows, &resolved.named)?;
    // Their clients do not know of all blocks, and count the mention.
    if resolved.blocked.len() > MAX_COUNTED {
        let users = resolved.blocked.iter().map(|user| (*user, Some(false)));
        return Ok(OwnChanges { own, mentions: Some(counted_later(message, users, None)) });
    }
    for user in &resolved.blocked {
        own.extend(changed_for(conn, message, &places, *user, false)?);
    }
    Ok(OwnChanges { own, mentions: None })
}

fn store(
    conn: &mut AnyConn,
    message: &Message,
    created_seq: Seq,
    places: &Places,
    mentioned: &[MentionRow],
) -> Result<(), StorageError> {
    for (lane, pos) in places.lanes(message.chat) {
        let place = MentionPlace { lane, pos, chat: message.chat, message: message.id, created_seq };
        rows::insert(conn, place, mentioned)?;
    }
    Ok(())
}

/// Makes the users that a reply mentions by name follow its thread, unless they do. The marker starts just before the reply;
/// for who joined later, at the joining.
fn follow_named(
    conn: &mut AnyConn,
    message: &Message,
    places: &Places,
    mentioned: &[MentionRow],
    named: &[(UserId, Seq)],
) -> Result<Vec<OwnChange>, StorageError> {
    let Some((thread, pos)) = &places.thread else { return Ok(Vec::new()) };
    let everyone = mentioned.iter().any(|row| row.user_id == EVERYONE);
    let is_counted = |user: UserId| {
        let own = mentioned.iter().find(|row| row.user_id == user && row.weight != 0);
        own.map_or(everyone, |row| row.weight > 0)
    };
    let mut changes = Vec::new();
    for (user, joined_seq) in named.iter().copied().filter(|(user, _)| is_counted(*user)) {
        if follows::find(conn, thread.root, user, joined_seq)?.is_some_and(|follow| follow.is_followed) {
            continue;
        }
        let joined_at = heads::posted_up_to(conn, thread, joined_seq)?;
        let read_pos = (pos - 1).max(joined_at);
        let last_read = heads::reply_at(conn, thread.root, read_pos)?.map(|(id, _)| id);
        let follow = Follow { is_followed: true, read_pos, last_read_message_id: last_read };
        changes.push(begin(conn, thread, (user, joined_seq), follow, message.seq)?);
    }
    Ok(changes)
}

/// Stores who is mentioned by an edited message. `None`: the mentions stay, with the places that still fit. Returns the
/// users that are not active members, and what changed for single users.
pub(super) fn edit(
    conn: &mut AnyConn,
    chat: &Chat,
    message: &mut Message,
    new: Option<&NewMentions>,
) -> Result<(Vec<UserId>, OwnChanges), StorageError> {
    let length = message.content.chars().count() as i64;
    let before = Mentions::from_stored(message.mentions.as_deref());
    let Some(new) = new else {
        let mut kept = before;
        kept.fit(length);
        message.mentions = kept.stored();
        return Ok((Vec::new(), OwnChanges::default()));
    };
    let places = Places::of(conn, message)?;
    let created_seq = positions::created_seq(conn, chat.id, message.pos)?;
    let mut mentioned = Vec::new();
    for (lane, pos) in places.lanes(chat.id) {
        mentioned = rows::remove(conn, lane, pos)?;
    }
    let mut new = new.clone();
    if before.here && new.mentions.here {
        // Who was connected is settled.
        new.connected = mentioned.iter().filter(|row| row.is_here).map(|row| row.user_id).collect();
    }
    let resolved = resolve(conn, chat.id, message.sender.id, &new)?;
    store(conn, message, created_seq, &places, &resolved.rows)?;
    message.mentions = resolved.mentions.stored();
    // Who was named before has followed then, and may have stopped.
    let was_named = |user: UserId| before.users.iter().any(|mention| mention.id == user);
    let added: Vec<_> = resolved.named.iter().copied().filter(|(user, _)| !was_named(*user)).collect();
    let mut own = follow_named(conn, message, &places, &resolved.rows, &added)?;
    let changed = changes(conn, chat, message, &places, (&mentioned, &resolved.rows))?;
    own.extend(changed.own);
    Ok((resolved.ignored, OwnChanges { own, mentions: changed.mentions }))
}

/// Removes the mentions of a message that is deleted. Returns what changed for single users.
pub(super) fn remove(
    conn: &mut AnyConn,
    chat: &Chat,
    message: &mut Message,
) -> Result<OwnChanges, StorageError> {
    if message.mentions.take().is_none() {
        return Ok(OwnChanges::default());
    }
    let places = Places::of(conn, message)?;
    let mut mentioned = Vec::new();
    for (lane, pos) in places.lanes(chat.id) {
        mentioned = rows::remove(conn, lane, pos)?;
    }
    changes(conn, chat, message, &places, (&mentioned, &[]))
}

/// Most users whose mentions a transaction counts when an event changes whether they are mentioned.
const MAX_COUNTED: usize = LISTED_MEMBERS as usize;

/// Returns what a change of mentions means for the users that it adds or removes. If they are many, their mentions are
/// counted later.
fn changes(
    conn: &mut AnyConn,
    chat: &Chat,
    message: &Message,
    places: &Places,
    (before, after): (&[MentionRow], &[MentionRow]),
) -> Result<OwnChanges, StorageError> {
    let by_user = |rows: &[MentionRow]| -> HashMap<UserId, i64> {
        rows.iter().filter(|row| row.weight != 0).map(|row| (row.user_id, row.weight)).collect()
    };
    let (old, new) = (by_user(before), by_user(after));
    let is_about_all = |rows: &HashMap<UserId, i64>| rows.contains_key(&EVERYONE);
    let is_mentioned = |rows: &HashMap<UserId, i64>, user: UserId| {
        rows.get(&user).map_or_else(|| is_about_all(rows), |weight| *weight > 0)
    };
    let change_of = |user: UserId| {
        let now = is_mentioned(&new, user);
        (now != is_mentioned(&old, user)).then_some(now)
    };
    let others = (is_about_all(&old) != is_about_all(&new)).then(|| is_about_all(&new));
    let named = || old.keys().chain(new.keys()).copied().filter(|user| *user != EVERYONE);
    let mut users: Vec<UserId> = match others {
        None => named().collect(),
        Some(_) if chat.member_count <= LISTED_MEMBERS => member_ids(conn, chat.id)?,
        Some(_) => {
            let users = named().map(|user| (user, change_of(user)));
            let mentions = Some(counted_later(message, users, others));
            return Ok(OwnChanges { mentions, ..OwnChanges::default() });
        }
    };
    users.sort_unstable();
    users.dedup();
    let changed = users.into_iter().filter_map(|user| Some((user, change_of(user)?)));
    let changed: Vec<(UserId, bool)> = changed.collect();
    if changed.len() > MAX_COUNTED {
        let users = changed.into_iter().map(|(user, now)| (user, Some(now)));
        let mentions = Some(counted_later(message, users, None));
        return Ok(OwnChanges { mentions, ..OwnChanges::default() });
    }
    let mut own = Vec::new();
    for (user, now) in changed {
        own.extend(changed_for(conn, message, places, user, now)?);
    }
    Ok(OwnChanges { own, mentions: None })
}

fn counted_later(
    message: &Message,
    users: impl Iterator<Item = (UserId, Option<bool>)>,
    others: Option<bool>,
) -> Box<MentionsChange> {
    let mut users: Vec<_> = users.collect();
    users.sort_unstable();
    users.dedup();
    Box::new(MentionsChange { message: message.id, users, others })
}

/// Returns the events that give a user the present counts of mentions, in the chat and in the thread of a message.
fn changed_for(
    conn: &mut AnyConn,
    message: &Message,
    places: &Places,
    user: UserId,
    is_mentioned: bool,
) -> Result<Vec<OwnChange>, StorageError> {
    let Some(membership) = membership::membership(conn, message.chat, user)? else { return Ok(Vec::new()) };
    let unread_mentions = membership.unread_mentions(conn)?;
    let kind = OwnKind::MentionsChanged { message: message.id, is_mentioned, unread_mentions };
    let mut changes = vec![OwnChange { user, kind }];
    if let Some((thread, _)) = &places.thread
        && let (_, Some(follow)) = threads::relation(conn, thread, user)?
        && follow.is_followed
    {
        let own = thread_queries::own_thread(conn, thread, user, &follow)?;
        changes.push(OwnChange { user, kind: OwnKind::ThreadRead(own) });
    }
    Ok(changes)
}

fn member_ids(conn: &mut AnyConn, chat: ChatId) -> Result<Vec<UserId>, StorageError> {
    let rows = members::roles(conn, chat)?;
    Ok(rows.into_iter().map(|(user, _)| user).collect())
}
