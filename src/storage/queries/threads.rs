//! Threads as their readers see them: pages of replies, the threads that a user follows, and what is unread there.

use super::unread::{self, Counted};
use crate::{
    core::model::{
        Chat, ChatId, Lane, MessageId, Seq, UserId,
        threads::{Follow, OwnThread, Thread},
    },
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
        tables::{
            follows::{self, FollowRow},
            members,
            mentions::{self, mentions_after},
            positions,
            sent_counts::sent_between,
            threads,
        },
    },
};

/// Returns the thread of a root of this chat; `None` if the message is in another chat, or is a reply.
pub fn root_in(conn: &mut AnyConn, chat: ChatId, root: MessageId) -> Result<Option<Thread>, StorageError> {
    let Some((place, pos)) = positions::locate(conn, root)? else { return Ok(None) };
    if place != chat || pos < 0 {
        return Ok(None);
    }
    let thread_id = sql!("SELECT thread_id FROM messages WHERE chat_id = ? AND pos = ?", chat, pos);
    if thread_id.first::<Option<MessageId>>(conn)?.flatten().is_some() {
        return Ok(None);
    }
    Ok(Some(threads::find(conn, root)?.unwrap_or_else(|| Thread::new(root, chat))))
}

/// Returns a user's own view of a thread. A thread that the user does not follow has nothing unread.
pub fn own_thread(
    conn: &mut AnyConn,
    thread: &Thread,
    user: UserId,
    follow: &Follow,
) -> Result<OwnThread, StorageError> {
    let (unread, mentions) = match follow.is_followed {
        true => (
            unread::count_in(conn, Counted::from(thread), user, follow.read_pos)?,
            mentions::count_after(conn, Lane::Thread(thread.root), user, follow.read_pos)?,
        ),
        false => (0, 0),
    };
    Ok(OwnThread {
        root: thread.root,
        is_followed: follow.is_followed,
        unread,
        mentions,
        last_read_message_id: follow.last_read_message_id,
    })
}

row! {
    /// A thread that a user follows.
    struct FollowedRow from threads t {
        thread: threads::ThreadRow,
        follow: FollowRow,
        joined_seq: Seq = "f.joined_seq",
    }
}

row! {
    /// A thread that a user follows, with numbers of the replies after the read marker.
    struct UnreadRow from threads t {
        followed: FollowedRow,
        /// The user's own ones, deleted ones included.
        own: i64 = sent_between!(
            "thread_replies o WHERE o.root_id = t.root_id", "-t.root_id", "f.user_id", "f.read_pos", "t.last_pos"
        ),
        /// Those that mention the user.
        mentions: i64 = mentions_after!("f.user_id", "-t.root_id", "f.read_pos"),
    }
}

/// A thread that a user follows, and the user's read marker.
pub struct Followed {
    pub thread: Thread,
    pub follow: Follow,
}

/// Returns all threads that a user follows, in no order.
pub fn followed(conn: &mut AnyConn, user: UserId) -> Result<Vec<Followed>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM follows f JOIN threads t ON t.root_id = f.root_id WHERE f.user_id = ? AND f.is_followed",
        user
    )
    .rows::<FollowedRow>(conn)?;
    let memberships = if rows.is_empty() { Vec::new() } else { memberships(conn, user)? };
    Ok(rows.into_iter().filter(|row| row.holds(&memberships)).map(Followed::from).collect())
}

impl FollowedRow {
    /// Returns whether the user followed the thread in one of these memberships. A user who left and joined again follows
    /// no threads from before.
    fn holds(&self, memberships: &[(i64, Seq)]) -> bool {
        memberships.binary_search(&(self.thread.chat_id.0, self.joined_seq)).is_ok()
    }
}

impl From<FollowedRow> for Followed {
    fn from(row: FollowedRow) -> Self {
        Self { thread: row.thread.into(), follow: row.follow.into() }
    }
}

/// Returns what is unread in the threads of a chat that a user follows, in order of their roots.
pub fn unread_in_chat(
    conn: &mut AnyConn,
    user: UserId,
    chat: ChatId,
) -> Result<Vec<OwnThread>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM follows f JOIN threads t ON t.root_id = f.root_id \
         WHERE f.chat_id = ? AND f.user_id = ? AND f.is_followed AND f.read_pos < t.last_live_pos",
        chat,
        user
    )
    .rows::<UnreadRow>(conn)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let joined_seq = members::joined_seq(conn, chat, user)?;
    let rows = rows.into_iter().filter(|row| row.followed.joined_seq == joined_seq);
    let unread = unread_of(conn, user, rows)?;
    Ok(unread.into_iter().map(|(_, own)| own).collect())
}

/// Leaves out the threads in which only the user's own replies are after the marker. Only for a thread with deleted replies
/// it takes further statements.
fn unread_of(
    conn: &mut AnyConn,
    user: UserId,
    rows: impl Iterator<Item = UnreadRow>,
) -> Result<Vec<(ChatId, OwnThread)>, StorageError> {
    let mut all = Vec::new();
    for UnreadRow { followed, own, mentions } in rows {
        let Followed { thread, follow } = followed.into();
        let unread = unread::count_without(conn, Counted::from(&thread), user, follow.read_pos, own)?;
        let last_read_message_id = follow.last_read_message_id;
        if unread > 0 {
            let own =
                OwnThread { root: thread.root, is_followed: true, unread, mentions, last_read_message_id };
            all.push((thread.chat, own));
        }
    }
    all.sort_unstable_by_key(|(_, own)| own.root);
    Ok(all)
}

/// Returns the chats of a user, each with the number of the membership, in order.
fn memberships(conn: &mut AnyConn, user: UserId) -> Result<Vec<(i64, Seq)>, StorageError> {
    let rows = sql!(
        "SELECT m.chat_id, m.joined_seq FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL",
        user
    );
    let mut rows = rows.rows::<(i64, Seq)>(conn)?;
    rows.sort_unstable();
    Ok(rows)
}

/// Returns the number of threads that a user follows, or of those with unread replies, and a page of them: the one with
/// the newest reply first.
pub fn page(
    conn: &mut AnyConn,
    user: UserId,
    is_unread: bool,
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<(Followed, OwnThread)>), StorageError> {
    let mut followed = followed(conn, user)?;
    if is_unread {
        let mut unread = Vec::new();
        for this in followed {
            if has_unread(conn, user, &this)? {
                unread.push(this);
            }
        }
        followed = unread;
    }
    let latest = |this: &Followed| this.thread.last_reply.max(this.thread.root);
    followed.sort_unstable_by_key(|this| std::cmp::Reverse(latest(this)));
    let count = followed.len() as i64;
    let mut page = Vec::new();
    for this in followed.into_iter().skip(skip as usize).take(limit as usize) {
        let own = own_thread(conn, &this.thread, user, &this.follow)?;
        page.push((this, own));
    }
    Ok((count, page))
}

/// Returns whether a thread has unread replies. Only if the last one is the user's own, they are counted.
fn has_unread(
    conn: &mut AnyConn,
    user: UserId,
    Followed { thread, follow }: &Followed,
) -> Result<bool, StorageError> {
    if thread.last_live_pos <= follow.read_pos {
        return Ok(false);
    }
    Ok(thread.last_sender != user || own_thread(conn, thread, user, follow)?.unread > 0)
}

/// Returns what is unread in the threads that a user follows, in order of their roots. Threads without unread replies are
/// omitted.
pub fn unread_by_thread(conn: &mut AnyConn, user: UserId) -> Result<Vec<(ChatId, OwnThread)>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM follows f JOIN threads t ON t.root_id = f.root_id \
         WHERE f.user_id = ? AND f.is_followed AND f.read_pos < t.last_live_pos",
        user
    )
    .rows::<UnreadRow>(conn)?;
    let memberships = if rows.is_empty() { Vec::new() } else { memberships(conn, user)? };
    unread_of(conn, user, rows.into_iter().filter(|row| row.followed.holds(&memberships)))
}

/// Returns the thread of a root in a chat that a user is in; `None` if there is none.
pub fn one(
    conn: &mut AnyConn,
    user: UserId,
    root: MessageId,
) -> Result<Option<(Followed, OwnThread)>, StorageError> {
    let Some((chat, _)) = positions::locate(conn, root)? else { return Ok(None) };
    let joined_seq = members::joined_seq(conn, chat, user)?;
    if joined_seq == 0 {
        return Ok(None);
    }
    let Some(thread) = root_in(conn, chat, root)? else { return Ok(None) };
    let follow = follows::find(conn, root, user, joined_seq)?.unwrap_or_default();
    let own = own_thread(conn, &thread, user, &follow)?;
    Ok(Some((Followed { thread, follow }, own)))
}

/// A number of a chat's oldest messages: those in the timeline, and those that are only in threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub timeline: i64,
    pub replies: i64,
}

impl Split {
    /// Returns the split after all messages.
    pub fn end(chat: &Chat) -> Self {
        Self { timeline: chat.last_pos, replies: chat.reply_count }
    }

    /// Returns the split before the messages with an id from `id` on.
    pub fn before(conn: &mut AnyConn, chat: &Chat, id: i64) -> Result<Self, StorageError> {
        let timeline = positions::count_before(conn, chat, id)?;
        Ok(Self { timeline, replies: positions::count_replies_before(conn, chat, id)? })
    }

    pub fn total(self) -> i64 {
        self.timeline + self.replies
    }
}

/// Returns the split after the oldest `count` messages, none of which is after `end`.
pub fn split_at(conn: &mut AnyConn, chat: &Chat, end: Split, count: i64) -> Result<Split, StorageError> {
    // Of the first `count` messages, `timeline` are in the timeline. It is the largest number for which the last of these
    // is older than the first reply that would then be left out.
    let (mut low, mut high) = ((count - end.replies).max(0), count.min(end.timeline));
    while low < high {
        let timeline = low + (high - low + 1) / 2;
        let replies = count - timeline;
        let last = positions::id_at(conn, chat.id, timeline)?;
        let left_out = positions::id_at(conn, chat.id, -(replies + 1))?;
        if left_out.is_none_or(|left_out| last.is_some_and(|last| last < left_out)) {
            low = timeline;
        } else {
            high = timeline - 1;
        }
    }
    Ok(Split { timeline: low, replies: count - low })
}
