//! Consistency check: recomputes derived data and compares it with what is stored.

use std::collections::{BTreeMap, HashMap, HashSet};

pub use super::checker::Report;
use super::{
    check_attachments, check_mentions, check_threads,
    checker::{Checked, Checker},
    schema_check,
};
use crate::{
    core::model::{ChatId, Lane, Reaction, UserId},
    storage::{
        AnyConn, StorageError,
        commands::succession,
        db::{row::row, sql::sql},
        message_search,
        queries::{membership, unread},
        tables::{pins, sent_counts},
    },
};

/// Checks the whole database. Reads all messages, one chat at a time.
pub fn check(conn: &mut AnyConn) -> Result<Report, StorageError> {
    let mut report = Report::default();
    if let AnyConn::Sqlite(_) = conn {
        report.differences = schema_check::differences(conn)?;
        check_file(conn, &mut report)?;
    }
    for chat in sql!("SELECT id FROM chats WHERE deleted_at IS NULL ORDER BY id").rows::<ChatId>(conn)? {
        report.chats += 1;
        Checker { conn, chat, report: &mut report }.check()?;
    }
    check_attachments::check_files(conn, &mut report)?;
    let pending = succession::pending(conn)?;
    for chat in succession::unattended(conn)?.difference(&pending) {
        report.differences.push(format!("chat {chat}: it has active members, and no active admin"));
    }
    report.differences.extend(message_search::check::differences(conn)?);
    Ok(report)
}

/// Runs SQLite's own integrity check.
fn check_file(conn: &mut AnyConn, report: &mut Report) -> Result<(), StorageError> {
    let rows = sql!("SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
    for problem in rows.rows::<String>(conn)? {
        report.differences.push(format!("the file: {problem}"));
    }
    Ok(())
}

row! {
    /// The columns of a message that are checked.
    struct CheckedRow from messages m {
        id: i64,
        pos: i64,
        sender_id: i64,
        created_seq: i64,
        seq: i64,
        is_deleted: bool,
        content: String,
        reply_to: Option<i64>,
        forwarded_content: Option<String>,
        mentions: Option<String>,
        attachments: Option<String>,
        thread_id: Option<i64>,
        thread_info: Option<String>,
        created_at: i64,
        reactions: String,
        /// The position that is noted for the id.
        located: Option<i64> = "i.pos",
    }
}

row! {
    /// The derived columns of a chat.
    struct HeadRow from chats c {
        seq: i64,
        members_seq: i64,
        last_pos: i64,
        last_live_pos: i64,
        deleted_count: i64,
        reply_count: i64,
        member_count: i64,
    }
}

impl Checker<'_> {
    fn check(&mut self) -> Result<(), StorageError> {
        let messages = self.check_messages()?;
        self.check_reactions(&messages)?;
        self.check_pins(&messages)?;
        self.check_drafts(&messages)?;
        check_threads::check(self, &messages)?;
        check_mentions::check(self, &messages)?;
        check_attachments::check(self, &messages)?;
        let replies = messages.iter().filter(|message| message.pos < 0).count() as i64;
        let timeline: Vec<Checked> = messages.into_iter().filter(|message| message.pos > 0).collect();
        self.check_head(&timeline, replies)?;
        self.check_tombstones(&timeline)?;
        self.check_sent_counts(&timeline)?;
        self.check_members(&timeline)
    }

    /// Checks that positions have no gaps, and that ids and sequence numbers ascend with them: in the timeline, and among
    /// the replies that are only in threads, whose positions are negative. Returns all messages by id.
    fn check_messages(&mut self) -> Result<Vec<Checked>, StorageError> {
        let rows = sql!(
            "SELECT {} FROM messages m LEFT JOIN message_ids i ON i.id = m.id AND i.chat_id = m.chat_id \
             WHERE m.chat_id = ? ORDER BY m.pos",
            self.chat
        )
        .rows::<CheckedRow>(self.conn)?;
        let head = sql!("SELECT seq FROM chats WHERE id = ?", self.chat).one::<i64>(self.conn)?;
        let mut checked = Vec::with_capacity(rows.len());
        let (mut timeline, mut replies) = ((0, 0, 0), (0, 0, 0));
        let ids: HashSet<i64> = rows.iter().map(|row| row.id).collect();
        let (negative, positive): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.pos < 0);
        for row in negative.into_iter().rev().chain(positive) {
            let CheckedRow { id, pos, seq, sender_id: sender, created_seq: created, .. } = row;
            let (count, last_id, last_created) = if pos < 0 { &mut replies } else { &mut timeline };
            *count += 1;
            self.expect("the position of a message", pos.abs(), *count);
            self.expect(&format!("the position noted for message {id}"), row.located.unwrap_or(0), pos);
            if id <= *last_id || created <= *last_created || seq < created || seq > head {
                self.differs(&format!("message {id}: number {seq}"), created, "out of order");
            }
            if row.is_deleted && !row.content.is_empty() {
                self.differs(&format!("message {id}: the content of a tombstone"), "present", "none");
            }
            let has_more = row.forwarded_content.is_some() || row.attachments.is_some();
            if row.content.is_empty() && !has_more && !row.is_deleted {
                self.differs(&format!("message {id}: its content"), "empty", "something");
            }
            if let Some(quoted) = row.reply_to
                && (quoted >= id || !ids.contains(&quoted))
            {
                self.differs(
                    &format!("message {id}: what it replies to"),
                    quoted,
                    "no earlier message of the chat",
                );
            }
            (*last_id, *last_created) = (id, created);
            checked.push(Checked {
                id,
                chat: self.chat.0,
                pos,
                sender,
                is_deleted: row.is_deleted,
                created_at: row.created_at,
                mentions: row.mentions,
                attachments: row.attachments,
                thread: row.thread_id,
                thread_info: row.thread_info,
                reactions: row.reactions,
            });
        }
        checked.sort_unstable_by_key(|message| message.id);
        self.report.messages += checked.len() as i64;
        Ok(checked)
    }

    /// Checks that messages that are pinned are there.
    fn check_pins(&mut self, messages: &[Checked]) -> Result<(), StorageError> {
        for id in pins::all(self.conn, self.chat)? {
            let is_there = messages.iter().any(|message| message.id == id.0 && !message.is_deleted);
            self.expect(&format!("whether pinned message {id} is there"), true, is_there);
        }
        let highest = sql!("SELECT coalesce(max(seq), 0) FROM pins WHERE chat_id = ?", self.chat)
            .one::<i64>(self.conn)?;
        let head = sql!("SELECT seq FROM chats WHERE id = ?", self.chat).one::<i64>(self.conn)?;
        if highest > head {
            self.differs("the number of a pin", highest, head);
        }
        Ok(())
    }

    /// Checks that drafts are of members, and that their threads and their number are right.
    fn check_drafts(&mut self, messages: &[Checked]) -> Result<(), StorageError> {
        let drafts = sql!(
            "SELECT d.user_id, d.thread, EXISTS (SELECT 1 FROM members m WHERE m.chat_id = d.chat_id \
                AND m.user_id = d.user_id AND m.left_seq IS NULL) FROM drafts d WHERE d.chat_id = ?",
            self.chat
        )
        .rows::<(i64, i64, bool)>(self.conn)?;
        let stored = sql!("SELECT draft_count FROM chats WHERE id = ?", self.chat).one::<i64>(self.conn)?;
        self.expect("the number of drafts", stored, drafts.len() as i64);
        for (user, thread, is_member) in drafts {
            self.expect(&format!("whether user {user}, who has a draft, is a member"), true, is_member);
            if thread != 0 && !messages.iter().any(|message| message.id == thread) {
                self.differs(
                    &format!("the thread of a draft of user {user}"),
                    thread,
                    "no message of the chat",
                );
            }
        }
        Ok(())
    }

    fn check_head(&mut self, messages: &[Checked], replies: i64) -> Result<(), StorageError> {
        let head = sql!("SELECT {} FROM chats c WHERE c.id = ?", self.chat).one::<HeadRow>(self.conn)?;
        let (counted, members_seq, highest, highest_me) = sql!(
            "SELECT sum(CASE WHEN left_seq IS NULL THEN 1 ELSE 0 END), max(member_seq), \
             max(CASE WHEN read_seq > member_seq THEN read_seq ELSE member_seq END), max(me_seq) FROM members WHERE chat_id = ?",
            self.chat
        )
        .one::<(Option<i64>, Option<i64>, Option<i64>, Option<i64>)>(self.conn)?;
        let highest = highest.max(highest_me);
        self.expect("the number of members", head.member_count, counted.unwrap_or(0));
        self.expect("the latest change of members", head.members_seq, members_seq.unwrap_or(0));
        self.expect("the last position", head.last_pos, messages.len() as i64);
        self.expect("the number of replies in threads alone", head.reply_count, replies);
        let live = messages.iter().rev().find(|message| !message.is_deleted);
        self.expect("the last live position", head.last_live_pos, live.map_or(0, |message| message.pos));
        let tombstones = messages.iter().filter(|message| message.is_deleted).count();
        self.expect("the number of tombstones", head.deleted_count, tombstones as i64);
        if highest.unwrap_or(0) > head.seq {
            self.differs("the sequence number", head.seq, highest.unwrap_or(0));
        }
        Ok(())
    }

    fn check_reactions(&mut self, messages: &[Checked]) -> Result<(), StorageError> {
        let rows = sql!(
            "SELECT message_id, emoji, count(*) FROM reactions WHERE chat_id = ? GROUP BY message_id, emoji",
            self.chat
        )
        .rows::<(i64, String, i64)>(self.conn)?;
        let mut counted: HashMap<i64, BTreeMap<String, i64>> = HashMap::new();
        for (message, emoji, count) in rows {
            counted.entry(message).or_default().insert(emoji, count);
        }
        // Reactions of deleted messages are invisible and waiting to be purged.
        let left = sql!("SELECT message_id FROM reactions_left WHERE chat_id = ?", self.chat);
        for id in left.rows::<i64>(self.conn)? {
            match messages.iter().any(|message| message.id == id && message.is_deleted) {
                true => {
                    counted.remove(&id);
                }
                false => self.differs("a deleted message with reactions to purge", id, "none"),
            }
        }
        for message in messages {
            let shown: Vec<Reaction> = serde_json::from_str(&message.reactions).unwrap_or_default();
            let shown: BTreeMap<String, i64> = shown.into_iter().map(|r| (r.emoji, r.count)).collect();
            let counted = counted.remove(&message.id).unwrap_or_default();
            if shown != counted {
                let what = format!("the reactions of message {}", message.id);
                self.differs(&what, format!("{shown:?}"), format!("{counted:?}"));
            }
        }
        let orphaned: Vec<i64> = counted.into_keys().collect();
        for id in orphaned {
            self.differs("the message of a reaction", id, "none");
        }
        Ok(())
    }

    fn check_tombstones(&mut self, messages: &[Checked]) -> Result<(), StorageError> {
        let stored = sql!(
            "SELECT sender_id, block, tombstones FROM tombstone_counts WHERE chat_id = ? AND level = 1",
            self.chat
        )
        .rows::<(i64, i64, i64)>(self.conn)?;
        let stored: BTreeMap<(i64, i64), i64> =
            stored.into_iter().map(|(sender, block, count)| ((sender, block), count)).collect();
        let mut counted = BTreeMap::new();
        for message in messages.iter().filter(|message| message.is_deleted) {
            for sender in [0, message.sender] {
                *counted.entry((sender, message.pos / 64)).or_insert(0) += 1;
            }
        }
        if stored != counted {
            self.differs("the tombstone counts", format!("{stored:?}"), format!("{counted:?}"));
        }
        Ok(())
    }

    fn check_sent_counts(&mut self, messages: &[Checked]) -> Result<(), StorageError> {
        let stored = sql!("SELECT sender_id, block, sent FROM sent_counts WHERE chat_id = ?", self.chat)
            .rows::<(i64, i64, i64)>(self.conn)?;
        let stored: BTreeMap<(i64, i64), i64> =
            stored.into_iter().map(|(sender, block, sent)| ((sender, block), sent)).collect();
        let (mut counted, mut sent) = (BTreeMap::new(), HashMap::<i64, i64>::new());
        let blocks = (messages.len() as i64 + 1) / sent_counts::BLOCK;
        for message in messages.iter().filter(|message| message.pos / sent_counts::BLOCK < blocks) {
            let count = sent.entry(message.sender).or_default();
            *count += 1;
            counted.insert((message.sender, message.pos / sent_counts::BLOCK), *count);
        }
        if stored != counted {
            self.differs("the counts of sent messages", format!("{stored:?}"), format!("{counted:?}"));
        }
        Ok(())
    }

    /// Compares the unread counts of the API with counting one by one. Also checks the position of the manual
    /// unread mark.
    fn check_members(&mut self, messages: &[Checked]) -> Result<(), StorageError> {
        let members =
            sql!("SELECT user_id, read_pos FROM members WHERE chat_id = ? AND left_seq IS NULL", self.chat)
                .rows::<(i64, i64)>(self.conn)?;
        for (user, read_pos) in members {
            let Some(membership) = membership::membership(self.conn, self.chat, UserId(user))? else {
                continue;
            };
            let unread_from = membership.me.unread_from.map(|id| id.0);
            let position = messages.iter().find(|m| Some(m.id) == unread_from).map(|m| m.pos);
            let what = format!("the manual unread position of user {user}");
            self.expect(&what, membership.unread_pos.unwrap_or(0), position.unwrap_or(0));
            let shown = membership.unread_count(self.conn)?;
            let after = unread::counted_after(membership.read_pos, membership.unread_pos);
            let mentions = membership.viewer(self.conn)?.unread_mentions;
            check_mentions::check_unread(self, Lane::Chat(self.chat), UserId(user), (after, mentions))?;
            let is_unread = |m: &Checked| m.pos > read_pos || unread_from.is_some_and(|id| m.id >= id);
            let counts = |m: &&Checked| is_unread(m) && m.sender != user && !m.is_deleted;
            let counted = messages.iter().filter(counts).count() as i64;
            self.expect(&format!("the unread count of user {user}"), shown, counted);
        }
        Ok(())
    }
}
