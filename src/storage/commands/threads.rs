//! Threads: replies, their deletion, followers and their read markers.

use std::collections::HashMap;

use super::{decided::Linked, mentions, messages::Post, outcome::take_number, references::no_such};
use crate::{
    core::model::{
        Chat, ChatId, FieldErrors, Lane, Message, MessageId, Pos, Refusal, Seq, ThreadInfo, Timestamp,
        UserId,
        event::{Answer, Done, ThreadChange},
        permission::Ability,
        threads::{Follow, LISTED_PARTICIPANTS, OwnChange, OwnKind, Thread},
    },
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
        queries::{membership, threads as reading},
        tables::{
            chats,
            follows::{self, FollowKey},
            mentions::ResolvedMentions,
            merged_guests, messages,
            sent_counts::{self, BLOCK},
            threads::{self, ThreadRow},
            tombstones,
        },
    },
};

row! {
    /// A message that posts name as the root of their thread.
    struct RootRow from messages r {
        id: MessageId,
        chat_id: ChatId,
        pos: Pos,
        sender_id: UserId,
        is_deleted: bool,
        thread_id: Option<MessageId>,
        thread_info: Option<String>,
    }
}

/// A root, and its thread as the replies of a batch have left it.
struct Root {
    thread: Thread,
    /// The root's position in its chat.
    pos: Pos,
    author: UserId,
    is_deleted: bool,
    is_reply: bool,
    info: ThreadInfo,
    /// Sequence number of the latest reply of the batch.
    changed: Option<Seq>,
}

/// The roots of the threads that the posts of a batch reply in.
#[derive(Default)]
pub(super) struct Roots(HashMap<MessageId, Root>);

impl Roots {
    /// Loads the roots of these posts. Without replies, it takes no statement.
    pub(super) fn of(conn: &mut AnyConn, posts: &[Post]) -> Result<Self, StorageError> {
        let mut ids: Vec<i64> = posts.iter().filter_map(|post| post.new.thread).map(|root| root.0).collect();
        if ids.is_empty() {
            return Ok(Self::default());
        }
        ids.sort_unstable();
        ids.dedup();
        let rows = sql!(
            "SELECT {} FROM message_ids i JOIN messages r ON r.chat_id = i.chat_id AND r.pos = i.pos WHERE i.id IN ?",
            ids.as_slice()
        )
        .rows::<RootRow>(conn)?;
        let heads =
            sql!("SELECT {} FROM threads t WHERE t.root_id IN ?", ids.as_slice()).rows::<ThreadRow>(conn)?;
        let heads = heads.into_iter().map(|row| Thread::from(row));
        let mut heads: HashMap<MessageId, Thread> = heads.map(|thread| (thread.root, thread)).collect();
        let root = |row: RootRow| {
            let thread = heads.remove(&row.id).unwrap_or_else(|| Thread::new(row.id, row.chat_id));
            let root = Root {
                thread,
                pos: row.pos,
                author: row.sender_id,
                is_deleted: row.is_deleted,
                is_reply: row.thread_id.is_some(),
                info: ThreadInfo::from_stored(row.thread_info.as_deref()),
                changed: None,
            };
            (row.id, root)
        };
        Ok(Self(rows.into_iter().map(root).collect()))
    }

    /// Checks that a post names a root of its chat. A deleted root will do, a reply will not.
    pub(super) fn check(&self, post: &Post) -> Result<(), Refusal> {
        let Some(id) = post.new.thread else { return Ok(()) };
        match self.0.get(&id).filter(|root| root.thread.chat == post.chat) {
            None => Err(no_such("thread", id)),
            Some(root) if root.is_reply => Err(FieldErrors::of("thread", NO_ROOT).into()),
            Some(_) => Ok(()),
        }
    }

    /// Returns when the latest reply of a post's thread was posted.
    pub(super) fn last_reply_at(&self, post: &Post) -> Option<Timestamp> {
        self.0.get(&post.new.thread?)?.info.last_reply_at
    }

    /// Links a stored message: adds it to its thread, if it is a reply, and stores who is mentioned.
    pub(super) fn link(
        &mut self,
        conn: &mut AnyConn,
        message: &Message,
        mentioned: Option<Box<ResolvedMentions>>,
    ) -> Result<Linked, StorageError> {
        let (thread, mut own) = self.add(conn, message)?;
        let Some(resolved) = mentioned else { return Ok(Linked { thread, own, ..Linked::default() }) };
        let root = message.thread.and_then(|id| self.0.get(&id));
        let place = root.map(|root| (root.thread.clone(), root.thread.last_pos));
        own.extend(mentions::add(conn, message, place, &resolved)?);
        Ok(Linked { thread, own, mentions_ignored: resolved.ignored })
    }

    /// Adds a stored message to its thread, if it is a reply. Returns what that means for the root, and for users who
    /// follow the thread from now on.
    fn add(
        &mut self,
        conn: &mut AnyConn,
        message: &Message,
    ) -> Result<(ThreadChange, Vec<OwnChange>), StorageError> {
        let Some(root) = message.thread.and_then(|id| self.0.get_mut(&id)) else {
            return Ok(Default::default());
        };
        let is_first = root.thread.last_pos == 0;
        let pos = root.thread.last_pos + 1;
        let (id, sender) = (root.thread.root, message.sender.id);
        threads::insert_reply(conn, id, pos, message)?;
        sent_counts::record_reply(conn, id, pos)?;
        if threads::add_participant(conn, id, sender, pos)? {
            root.info.participant_count += 1;
            if root.info.participants.len() < LISTED_PARTICIPANTS {
                root.info.participants.push(sender);
            }
        }
        root.info.reply_count += 1;
        root.info.last_reply_at = Some(message.created_at);
        root.thread.last_pos = pos;
        root.thread.last_live_pos = pos;
        root.thread.last_reply = message.id;
        root.thread.last_sender = sender;
        root.changed = Some(message.seq);
        let mut own = Vec::new();
        if let (Some(joined_seq), follow) = relation(conn, &root.thread, sender)?
            && !follow.is_some_and(|follow| follow.is_followed)
        {
            let follow = Follow { is_followed: true, read_pos: pos, last_read_message_id: Some(message.id) };
            own.push(begin(conn, &root.thread, (sender, joined_seq), follow, message.seq)?);
        }
        if is_first
            && root.author != sender
            && !root.is_deleted
            && let (Some(joined_seq), None) = relation(conn, &root.thread, root.author)?
        {
            let follow = Follow { is_followed: true, ..Follow::default() };
            own.push(begin(conn, &root.thread, (root.author, joined_seq), follow, message.seq)?);
        }
        Ok((ThreadChange { info: root.info.stored(), root: None }, own))
    }

    /// Stores the heads of the threads that have new replies.
    pub(super) fn store(&self, conn: &mut AnyConn) -> Result<(), StorageError> {
        for root in self.0.values() {
            if let Some(seq) = root.changed {
                threads::put(conn, &root.thread)?;
                let place = (root.thread.chat, root.pos);
                messages::set_thread_info(conn, place, root.info.stored().as_deref(), seq)?;
            }
        }
        Ok(())
    }
}

const NO_ROOT: &str = "A reply has no thread of its own.";

/// Returns the number of an active user's membership in the chat of a thread, and the user's relation to the thread.
pub(super) fn relation(
    conn: &mut AnyConn,
    thread: &Thread,
    user: UserId,
) -> Result<(Option<Seq>, Option<Follow>), StorageError> {
    let row = sql!(
        "SELECT m.joined_seq FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.chat_id = ? AND m.user_id = ? AND m.left_seq IS NULL AND u.is_active",
        thread.chat,
        user
    );
    let Some(joined_seq) = row.first::<Seq>(conn)? else { return Ok((None, None)) };
    Ok((Some(joined_seq), follows::find(conn, thread.root, user, joined_seq)?))
}

/// Lets a user follow a thread. Returns the user's own event.
pub(super) fn begin(
    conn: &mut AnyConn,
    thread: &Thread,
    (user, joined_seq): (UserId, Seq),
    follow: Follow,
    seq: Seq,
) -> Result<OwnChange, StorageError> {
    let key = FollowKey { user, root: thread.root, chat: thread.chat, joined_seq };
    follows::put(conn, key, &follow, seq)?;
    let own = reading::own_thread(conn, thread, user, &follow)?;
    Ok(OwnChange { user, kind: OwnKind::ThreadFollowed(own) })
}

/// Takes a deleted reply out of its thread, as a change of the root. `seq`: the sequence number of the deletion.
pub(super) fn take_out(
    conn: &mut AnyConn,
    chat: &Chat,
    reply: &Message,
    seq: Seq,
) -> Result<ThreadChange, StorageError> {
    let Some(root) = reply.thread else { return Ok(ThreadChange::default()) };
    let found = (threads::find(conn, root)?, messages::in_chat(conn, chat.id, root)?);
    let (Some(mut thread), Some(message)) = found else { return Ok(ThreadChange::default()) };
    let Some(pos) = threads::pos_of(conn, &thread, reply.id)? else { return Ok(ThreadChange::default()) };
    let (lane, sender) = (Lane::Thread(root), reply.sender.id);
    let mut before = ThreadInfo::from_stored(message.thread_info.as_deref());
    threads::mark_deleted(conn, root, pos)?;
    tombstones::record(conn, lane, sender, pos)?;
    thread.deleted_count += 1;
    if thread.last_live_pos == pos {
        thread.last_live_pos = tombstones::last_live_before(conn, lane, pos)?;
        let last = threads::reply_at(conn, root, thread.last_live_pos)?;
        (thread.last_reply, thread.last_sender) = last.unwrap_or((MessageId(0), UserId(0)));
    }
    if threads::first_of(conn, root, sender)? == Some(pos) {
        let sent = sent_counts::between(conn, lane, sender, 0, thread.last_pos)?;
        let is_last = sent == tombstones::of_sender(conn, lane, sender, thread.last_pos)?;
        let next = if is_last { None } else { threads::next_of(conn, &thread, sender, pos)? };
        threads::set_first(conn, root, sender, next.unwrap_or(0))?;
        before.participant_count -= i64::from(is_last);
    }
    threads::put(conn, &thread)?;
    let info = refresh_info(conn, &thread, before)?.stored();
    messages::set_thread_info(conn, (chat.id, message.pos), info.as_deref(), seq)?;
    Ok(ThreadChange { info, root: None })
}

/// Reads the state of a thread anew, except for the number of participants, which is that of `before`.
pub(super) fn refresh_info(
    conn: &mut AnyConn,
    thread: &Thread,
    before: ThreadInfo,
) -> Result<ThreadInfo, StorageError> {
    let reply_count = thread.last_pos - thread.deleted_count;
    let participants = threads::participants(conn, thread.root, LISTED_PARTICIPANTS as i64)?;
    let last_reply_at = match reply_count {
        0 => None,
        _ => threads::posted_at(conn, thread.last_reply)?.or(before.last_reply_at),
    };
    Ok(ThreadInfo { reply_count, last_reply_at, participants, ..before })
}

/// Returns the state of a reply's thread, for an edit of the reply.
pub(super) fn info_of(
    conn: &mut AnyConn,
    chat: ChatId,
    reply: &Message,
) -> Result<ThreadChange, StorageError> {
    let Some(root) = reply.thread else { return Ok(ThreadChange::default()) };
    let info = messages::in_chat(conn, chat, root)?.and_then(|root| root.thread_info);
    Ok(ThreadChange { info, root: None })
}

/// Follows a thread, or stops that. Someone who begins has read everything.
pub(crate) fn follow(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    root: MessageId,
    is_followed: bool,
) -> Result<Done, StorageError> {
    let mut chat = membership::authorized(conn, chat, by, Ability::TakePart)?.chat;
    let thread = thread_of(conn, &chat, root)?;
    let (Some(joined_seq), before) = relation(conn, &thread, by)? else {
        return Err(Refusal::NotFound.into());
    };
    // A thread that was never followed may be stopped too: then its first reply begins nothing.
    if before.is_some_and(|before| before.is_followed == is_followed) {
        return Ok(Done::unchanged(Answer::Done));
    }
    take_number(&mut chat);
    let follow = match is_followed {
        true => {
            let last = threads::reply_at(conn, root, thread.last_pos)?;
            Follow { is_followed, read_pos: thread.last_pos, last_read_message_id: last.map(|(id, _)| id) }
        }
        false => Follow { is_followed, ..before.unwrap_or_default() },
    };
    threads::put(conn, &thread)?;
    let own = begin(conn, &thread, (by, joined_seq), follow, chat.seq)?;
    chats::update(conn, &chat)?;
    Ok(Done::own(&chat, Answer::Done, own))
}

/// Moves a user's read marker of a thread. It never moves back.
pub(crate) fn mark_as_read(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    root: MessageId,
    up_to: Option<MessageId>,
) -> Result<Done, StorageError> {
    let mut chat = membership::authorized(conn, chat, by, Ability::TakePart)?.chat;
    let thread = thread_of(conn, &chat, root)?;
    let pos = match up_to {
        None => thread.last_pos,
        Some(id) => threads::pos_of(conn, &thread, id)?.ok_or_else(|| no_such("message_id", id))?,
    };
    let (Some(joined_seq), Some(before)) = relation(conn, &thread, by)? else {
        return Ok(Done::unchanged(Answer::Marked(0)));
    };
    if pos <= before.read_pos || !before.is_followed {
        return Ok(Done::unchanged(Answer::Marked(0)));
    }
    take_number(&mut chat);
    let last_read_message_id = threads::reply_at(conn, root, pos)?.map(|(id, _)| id);
    let follow = Follow { read_pos: pos, last_read_message_id, ..before };
    let key = FollowKey { user: by, root, chat: chat.id, joined_seq };
    follows::put(conn, key, &follow, chat.seq)?;
    chats::update(conn, &chat)?;
    let unread = reading::own_thread(conn, &thread, by, &before)?.unread;
    let own = reading::own_thread(conn, &thread, by, &follow)?;
    let answer = Answer::Marked(unread - own.unread);
    Ok(Done::own(&chat, answer, OwnChange { user: by, kind: OwnKind::ThreadRead(own) }))
}

/// Finds the thread of a root in a chat. A reply has none: `NotFound`.
fn thread_of(conn: &mut AnyConn, chat: &Chat, root: MessageId) -> Result<Thread, StorageError> {
    reading::root_in(conn, chat.id, root)?.ok_or_else(|| Refusal::NotFound.into())
}

/// Most blocks of replies that one step of a handover takes.
const BLOCKS: i64 = 32;

/// Hands over a guest's first replies in one thread of the chat. Returns whether there was such a thread. `chat` already
/// has the sequence number of the change.
pub(super) fn hand_over_step(
    conn: &mut AnyConn,
    chat: &Chat,
    (guest, user): (UserId, UserId),
) -> Result<bool, StorageError> {
    let Some(mut thread) = threads::with_sender(conn, chat.id, guest)? else { return Ok(false) };
    let (root, lane) = (thread.root, Lane::Thread(thread.root));
    let blocks = sent_counts::first_blocks(conn, lane, guest, BLOCKS)?;
    let is_last = (blocks.len() as i64) < BLOCKS;
    let mut places: Vec<_> =
        blocks.iter().map(|(block, _)| block * BLOCK..=block * BLOCK + BLOCK - 1).collect();
    if is_last {
        places.push((thread.last_pos + 1) / BLOCK * BLOCK..=thread.last_pos);
    }
    let mut found = Vec::new();
    for places in places {
        found.extend(threads::sent_in(conn, root, guest, places)?);
    }
    let in_thread: Vec<Pos> = found.iter().map(|(pos, ..)| *pos).collect();
    let only_there: Vec<Pos> =
        found.iter().map(|(_, chat_pos, _)| *chat_pos).filter(|pos| *pos < 0).collect();
    threads::set_sender(conn, root, user, &in_thread)?;
    merged_guests::hand_over_messages(conn, chat.id, user, &only_there)?;
    sent_counts::hand_over(conn, lane, (guest, user), &blocks)?;
    let deleted = found.iter().filter(|(.., is_deleted)| *is_deleted).map(|(pos, ..)| *pos);
    tombstones::hand_over(conn, lane, (guest, user), deleted)?;
    if !is_last {
        return Ok(true);
    }
    let firsts = (threads::first_of(conn, root, guest)?.unwrap_or(0), threads::first_of(conn, root, user)?);
    let first = match firsts {
        (guests, Some(known)) if guests > 0 && known > 0 => guests.min(known),
        (guests, known) => guests.max(known.unwrap_or(0)),
    };
    threads::remove_participant(conn, root, guest)?;
    threads::set_first(conn, root, user, first)?;
    if thread.last_sender == guest {
        thread.last_sender = user;
        threads::put(conn, &thread)?;
    }
    if let Some(message) = messages::in_chat(conn, chat.id, root)? {
        let mut info = ThreadInfo::from_stored(message.thread_info.as_deref());
        info.participant_count -= i64::from(firsts.0 > 0 && firsts.1.is_some_and(|known| known > 0));
        let info = refresh_info(conn, &thread, info)?.stored();
        messages::set_thread_info(conn, (chat.id, message.pos), info.as_deref(), chat.seq)?;
    }
    Ok(true)
}
