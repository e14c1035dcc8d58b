//! The roots of the threads that the posts of a batch reply in, and how a stored message is linked to others.

use std::collections::HashMap;

use super::{
    mentions,
    messages::Post,
    outcome::no_such,
    threads::{begin, relation},
};
use crate::{
    core::model::{
        ChatId, FieldErrors, Lane, Message, MessageId, Pos, Refusal, Seq, ThreadInfo, Timestamp, UserId,
        event::ThreadChange,
        threads::{Follow, LISTED_PARTICIPANTS, OwnChange, OwnChanges, OwnKind, Thread},
    },
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
        tables::{
            mentions::{ResolvedMentions, count_after},
            message_parts, sent_counts,
            threads::{self, ThreadRow},
        },
    },
};

/// What a stored message means for others: for the root of its thread, and for users who follow it or are mentioned.
#[derive(Default)]
pub(super) struct Linked {
    pub(super) thread: ThreadChange,
    pub(super) own: OwnChanges,
    pub(super) mentions_ignored: Vec<UserId>,
}

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
        let heads = heads.into_iter().map(Thread::from);
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
        let (thread, own) = self.add(conn, message)?;
        let mut own = OwnChanges { own, mentions: None };
        let Some(resolved) = mentioned else { return Ok(Linked { thread, own, ..Linked::default() }) };
        let root = message.thread.and_then(|id| self.0.get(&id));
        let place = root.map(|root| (root.thread.clone(), root.thread.last_pos));
        let mentioned = mentions::add(conn, message, place, &resolved)?;
        own.own.extend(mentioned.own);
        own.mentions = mentioned.mentions;
        // The author of the root may be mentioned by the first reply.
        for change in &mut own.own {
            if let OwnKind::ThreadFollowed(thread) = &mut change.kind
                && thread.last_read_message_id.is_none()
            {
                thread.mentions = count_after(conn, Lane::Thread(thread.root), change.user, 0)?;
            }
        }
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
                message_parts::set_thread_info(conn, place, root.info.stored().as_deref(), seq)?;
            }
        }
        Ok(())
    }
}

const NO_ROOT: &str = "A reply has no thread of its own.";
