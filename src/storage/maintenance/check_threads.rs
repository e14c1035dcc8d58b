//! Checks threads: their heads, replies, participants, counts and followers.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    check_mentions,
    checker::{Checked, Checker},
};
use crate::{
    core::model::{Lane, MessageId, ThreadInfo, Timestamp, UserId, threads::LISTED_PARTICIPANTS},
    storage::{
        StorageError,
        db::sql::sql,
        queries::threads as thread_queries,
        tables::{sent_counts::BLOCK, threads},
    },
};

/// Checks the threads of a chat. `messages`: all of the chat, by id.
pub(super) fn check(checker: &mut Checker, messages: &[Checked]) -> Result<(), StorageError> {
    let mut replies: BTreeMap<i64, Vec<&Checked>> = BTreeMap::new();
    for message in messages {
        if let Some(root) = message.thread {
            replies.entry(root).or_default().push(message);
        } else if message.pos < 0 {
            checker.differs(&format!("message {}: its thread", message.id), "none", "a root");
        }
    }
    let roots =
        sql!("SELECT root_id FROM threads WHERE chat_id = ?", checker.chat).rows::<i64>(checker.conn)?;
    for root in roots {
        replies.entry(root).or_default();
    }
    for root in messages.iter().filter(|message| message.thread.is_none()) {
        let of_root = replies.remove(&root.id);
        if of_root.is_some() || root.thread_info.is_some() {
            check_thread(checker, root, &of_root.unwrap_or_default())?;
        }
    }
    for root in replies.into_keys() {
        checker.differs("the root of a thread", root, "no message of the timeline");
    }
    Ok(())
}

fn check_thread(checker: &mut Checker, root: &Checked, replies: &[&Checked]) -> Result<(), StorageError> {
    let id = MessageId(root.id);
    let name = format!("thread {id}");
    let stored = sql!(
        "SELECT pos, id, chat_pos, sender_id, is_deleted FROM thread_replies WHERE root_id = ? ORDER BY pos",
        id
    )
    .rows::<(i64, i64, i64, i64, bool)>(checker.conn)?;
    let counted = replies.iter().zip(1..);
    let counted: Vec<_> =
        counted.map(|(reply, pos)| (pos, reply.id, reply.pos, reply.sender, reply.is_deleted)).collect();
    if stored != counted {
        checker.differs(&format!("{name}: the replies"), format!("{stored:?}"), format!("{counted:?}"));
    }
    let Some(head) = threads::find(checker.conn, id)? else {
        checker.differs(&format!("{name}: its head"), "none", "one");
        return Ok(());
    };
    let live = replies.iter().zip(1..).filter(|(reply, _)| !reply.is_deleted);
    let live: Vec<(&Checked, i64)> = live.map(|(reply, pos)| (*reply, pos)).collect();
    let last = live.last().map_or((0, 0, 0), |(reply, pos)| (*pos, reply.id, reply.sender));
    let found = (head.last_live_pos, head.last_reply.0, head.last_sender.0);
    checker.expect(&format!("{name}: the last position"), head.last_pos, replies.len() as i64);
    checker.expect(
        &format!("{name}: the number of tombstones"),
        head.deleted_count,
        (replies.len() - live.len()) as i64,
    );
    if found != last {
        checker.differs(&format!("{name}: the last reply"), format!("{found:?}"), format!("{last:?}"));
    }
    let mut first: Vec<(i64, i64)> = Vec::new();
    for (reply, pos) in &live {
        if first.iter().all(|(_, sender)| *sender != reply.sender) {
            first.push((*pos, reply.sender));
        }
    }
    let stored = sql!(
        "SELECT first_pos, user_id FROM thread_participants WHERE root_id = ? AND first_pos > 0 ORDER BY first_pos",
        id
    )
    .rows::<(i64, i64)>(checker.conn)?;
    if stored != first {
        checker.differs(&format!("{name}: the participants"), format!("{stored:?}"), format!("{first:?}"));
    }
    let info = ThreadInfo {
        reply_count: live.len() as i64,
        last_reply_at: live.last().map(|(reply, _)| Timestamp(reply.created_at)),
        participants: first.iter().take(LISTED_PARTICIPANTS).map(|(_, user)| UserId(*user)).collect(),
        participant_count: first.len() as i64,
    };
    let shown = ThreadInfo::from_stored(root.thread_info.as_deref());
    let expected = if live.is_empty() { ThreadInfo::default() } else { info };
    if shown != expected {
        checker.differs(&format!("{name}: its state"), format!("{shown:?}"), format!("{expected:?}"));
    }
    check_counts(checker, id, replies)?;
    check_followers(checker, id, replies)
}

/// Checks the counts of replies and of deleted ones per block.
fn check_counts(checker: &mut Checker, root: MessageId, replies: &[&Checked]) -> Result<(), StorageError> {
    let stored =
        sql!("SELECT sender_id, block, sent FROM sent_counts WHERE chat_id = ?", -root.0)
            .rows::<(i64, i64, i64)>(checker.conn)?;
    let stored: BTreeMap<(i64, i64), i64> =
        stored.into_iter().map(|(sender, block, sent)| ((sender, block), sent)).collect();
    let (mut counted, mut sent) = (BTreeMap::new(), HashMap::<i64, i64>::new());
    let mut tombstones = BTreeMap::new();
    let blocks = (replies.len() as i64 + 1) / BLOCK;
    for (reply, pos) in replies.iter().zip(1..) {
        if pos / BLOCK < blocks {
            let count = sent.entry(reply.sender).or_default();
            *count += 1;
            counted.insert((reply.sender, pos / BLOCK), *count);
        }
        if reply.is_deleted {
            for sender in [0, reply.sender] {
                *tombstones.entry((sender, pos / 64)).or_insert(0) += 1;
            }
        }
    }
    if stored != counted {
        let what = format!("thread {root}: the counts of sent replies");
        checker.differs(&what, format!("{stored:?}"), format!("{counted:?}"));
    }
    let stored = sql!(
        "SELECT sender_id, block, tombstones FROM tombstone_counts WHERE chat_id = ? AND level = 1",
        -root.0
    )
    .rows::<(i64, i64, i64)>(checker.conn)?;
    let stored: BTreeMap<(i64, i64), i64> =
        stored.into_iter().map(|(sender, block, count)| ((sender, block), count)).collect();
    if stored != tombstones {
        let what = format!("thread {root}: the tombstone counts");
        checker.differs(&what, format!("{stored:?}"), format!("{tombstones:?}"));
    }
    Ok(())
}

/// Compares the unread counts of the followers with counting one by one.
fn check_followers(checker: &mut Checker, root: MessageId, replies: &[&Checked]) -> Result<(), StorageError> {
    let members = sql!(
        "SELECT f.user_id FROM follows f JOIN members m ON m.chat_id = f.chat_id AND m.user_id = f.user_id \
         WHERE f.chat_id = ? AND f.root_id = ? AND f.is_followed AND m.left_seq IS NULL AND m.joined_seq = f.joined_seq",
        checker.chat,
        root
    );
    let members: HashSet<i64> = members.rows::<i64>(checker.conn)?.into_iter().collect();
    for user in members {
        let Some((followed, own)) = thread_queries::one(checker.conn, UserId(user), root)? else { continue };
        let read_pos = followed.follow.read_pos;
        let is_unread =
            |reply: &Checked, pos: i64| pos > read_pos && reply.sender != user && !reply.is_deleted;
        let counted = replies.iter().zip(1..).filter(|(reply, pos)| is_unread(reply, *pos)).count() as i64;
        checker.expect(&format!("thread {root}: the unread count of user {user}"), own.unread, counted);
        check_mentions::check_unread(checker, Lane::Thread(root), UserId(user), (read_pos, own.mentions))?;
        let marker =
            replies.get((read_pos - 1).max(0) as usize).filter(|_| read_pos > 0).map(|reply| reply.id);
        let shown = own.last_read_message_id.map(|id| id.0);
        checker.expect(
            &format!("thread {root}: the read marker of user {user}"),
            shown.unwrap_or(0),
            marker.unwrap_or(0),
        );
    }
    Ok(())
}
