//! Threads: replies, their deletion, followers and their read markers.

use super::outcome::{no_such, take_number};
use crate::{
    core::model::{
        Chat, ChatId, Lane, Message, MessageId, Pos, Refusal, Seq, ThreadInfo, UserId,
        event::{Answer, Done, ThreadChange},
        permission::Ability,
        threads::{Follow, LISTED_PARTICIPANTS, OwnChange, OwnKind, Thread},
    },
    storage::{
        AnyConn, StorageError,
        db::sql::sql,
        queries::{membership, threads as reading},
        tables::{
            chats,
            follows::{self, FollowKey},
            merged_guests, message_parts, messages,
            sent_counts::{self, BLOCK},
            threads, tombstones,
        },
    },
};

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
    message_parts::set_thread_info(conn, (chat.id, message.pos), info.as_deref(), seq)?;
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
    // The reply may have been deleted between two steps.
    let is_gone =
        threads::sent_in(conn, root, user, first..=first)?.iter().any(|(.., is_deleted)| *is_deleted);
    let first = if is_gone { threads::next_of(conn, &thread, user, first)?.unwrap_or(0) } else { first };
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
        // `user_merged` tells clients: the root itself does not change.
        message_parts::set_thread_info(conn, (chat.id, message.pos), info.as_deref(), message.seq)?;
    }
    Ok(true)
}
