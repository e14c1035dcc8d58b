//! Messages: inserted, edited, deleted, and found by id, by position or by client id. Pages are ranges of
//! positions.

use std::ops::RangeInclusive;

use super::{
    attachments::Attached,
    mentions::ResolvedMentions,
    positions,
    quotes::{self, Unlinked},
    rows::CardRow,
    users,
};
use crate::{
    core::model::{
        Attachment, Chat, ChatId, Custom, Member, Message, MessageId, Pos, Previews, Seq, Timestamp,
        UserCard, UserId,
    },
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
    },
};

row! {
    /// A message without its sender.
    struct ContentRow from messages m {
        id: MessageId,
        pos: Pos,
        seq: Seq,
        content: String,
        created_at: Timestamp,
        updated_at: Timestamp,
        is_edited: bool,
        is_deleted: bool,
        client_id: Option<String>,
        reactions: String,
        custom: Option<String>,
        reply_to: Option<MessageId>,
        forwarded_sender_id: Option<UserId>,
        forwarded_content: Option<String>,
        mentions: Option<String>,
        attachments: Option<String>,
        previews: Option<String>,
        thread_id: Option<MessageId>,
        thread_info: Option<String>,
    }
}

row! {
    /// A message with its sender's card.
    struct MessageRow {
        message: ContentRow,
        sender: CardRow,
    }
}

row! {
    /// A message of any chat.
    struct FoundRow from messages m {
        chat_id: ChatId,
        found: MessageRow,
    }
}

row! {
    /// A message with its sender's id.
    struct SentRow from messages m {
        sender_id: UserId,
        message: ContentRow,
    }
}

impl MessageRow {
    fn posted_in(self, chat: ChatId) -> Unlinked {
        self.message.sent_by(chat, self.sender.into())
    }
}

impl ContentRow {
    fn sent_by(self, chat: ChatId, sender: UserCard) -> Unlinked {
        // A node of an earlier version leaves these on tombstones.
        let custom = Custom::from_stored(self.custom.filter(|_| !self.is_deleted));
        let reply_to = self.reply_to.filter(|_| !self.is_deleted);
        let forwarded = self.forwarded_sender_id.zip(self.forwarded_content).filter(|_| !self.is_deleted);
        let message = Message {
            id: self.id,
            chat,
            pos: self.pos,
            seq: self.seq,
            content: self.content,
            created_at: self.created_at,
            updated_at: self.updated_at,
            is_edited: self.is_edited,
            is_deleted: self.is_deleted,
            sender,
            client_id: self.client_id,
            reactions: self.reactions,
            custom,
            reply_to: None,
            forwarded_from: None,
            mentions: self.mentions.filter(|_| !self.is_deleted),
            attachments: Attachment::list_from_stored(
                self.attachments.filter(|_| !self.is_deleted).as_deref(),
            ),
            previews: Previews::from_stored(self.previews.as_deref()),
            thread: self.thread_id,
            thread_info: self.thread_info,
            read_by: Vec::new(),
            read_count: 0,
        };
        Unlinked { message, reply_to, forwarded }
    }
}

/// A message to be stored, which has no id yet.
pub struct UnstoredMessage {
    pub message: Message,
    /// `None`: no mentions.
    pub mentions: Option<Box<ResolvedMentions>>,
    /// `None`: no attachments.
    pub attached: Option<Box<Attached>>,
    /// Keyed hash of the content; `None` without a client id.
    pub content_hash: Option<Vec<u8>>,
}

/// Inserts a message with its id, unless its sender has posted another one in the chat under the same client
/// id. Returns whether it was inserted.
pub fn insert(conn: &mut AnyConn, new: &UnstoredMessage) -> Result<bool, StorageError> {
    let message = &new.message;
    let attachments = Attachment::stored_list(&message.attachments);
    let inserted = sql!(
        "INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, \
         is_deleted, created_seq, seq, client_id, content_hash, reactions, custom, reply_to, forwarded_sender_id, \
         forwarded_content, thread_id, mentions, attachments) \
         VALUES (?, ?, ?, ?, ?, ?, ?, FALSE, FALSE, ?, ?, ?, ?, '[]', ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        message.chat,
        message.pos,
        message.id,
        message.sender.id,
        &message.content,
        message.created_at,
        message.updated_at,
        message.seq,
        message.seq,
        message.client_id.as_deref(),
        new.content_hash.as_deref(),
        message.custom.stored(),
        message.reply_to.as_ref().map(|quote| quote.id),
        message.forwarded_from.as_ref().map(|forwarded| forwarded.sender.id),
        message.forwarded_from.as_ref().map(|forwarded| forwarded.content.as_str()),
        message.thread,
        message.mentions.as_deref(),
        attachments.as_deref()
    )
    .run(conn)?;
    if inserted == 0 {
        return Ok(false);
    }
    sql!(
        "INSERT INTO message_ids (id, chat_id, pos) VALUES (?, ?, ?)",
        message.id,
        message.chat,
        message.pos
    )
    .run(conn)?;
    Ok(true)
}

/// Stores the content and the custom data of a message that was changed.
pub fn edit(conn: &mut AnyConn, message: &Message) -> Result<(), StorageError> {
    sql!(
        "UPDATE messages SET content = ?, mentions = ?, custom = ?, updated_at = ?, is_edited = ?, seq = ? \
         WHERE chat_id = ? AND pos = ?",
        &message.content,
        message.mentions.as_deref(),
        message.custom.stored(),
        message.updated_at,
        message.is_edited,
        message.seq,
        message.chat,
        message.pos
    )
    .run(conn)?;
    Ok(())
}

/// Turns a message into a tombstone. Its content is erased.
pub fn mark_deleted(
    conn: &mut AnyConn,
    place: (ChatId, Pos),
    seq: Seq,
    at: Timestamp,
) -> Result<(), StorageError> {
    sql!(
        "UPDATE messages SET content = '', content_hash = NULL, reactions = '[]', custom = NULL, mentions = NULL, attachments = NULL, previews = NULL, \
         reply_to = NULL, forwarded_sender_id = NULL, forwarded_content = NULL, is_deleted = TRUE, updated_at = ?, seq = ? WHERE chat_id = ? AND pos = ?",
        at,
        seq,
        place.0,
        place.1
    )
    .run(conn)?;
    Ok(())
}

/// Loads the message at a position, without its readers.
pub fn at(conn: &mut AnyConn, chat: ChatId, pos: Pos) -> Result<Option<Message>, StorageError> {
    Ok(range(conn, chat, pos..=pos)?.pop())
}

/// Loads the message with an id, if it is in this chat, without its readers.
pub fn in_chat(conn: &mut AnyConn, chat: ChatId, id: MessageId) -> Result<Option<Message>, StorageError> {
    match positions::locate(conn, id)? {
        Some((place, pos)) if place == chat => at(conn, chat, pos),
        _ => Ok(None),
    }
}

/// Loads the messages in a range of positions, newest first, without their readers.
pub fn range(
    conn: &mut AnyConn,
    chat: ChatId,
    places: RangeInclusive<Pos>,
) -> Result<Vec<Message>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM messages m JOIN users u ON u.id = m.sender_id \
         WHERE m.chat_id = ? AND m.pos BETWEEN ? AND ? ORDER BY m.pos DESC",
        chat,
        *places.start(),
        *places.end()
    )
    .rows::<MessageRow>(conn)?;
    quotes::add(conn, rows.into_iter().map(|row| row.posted_in(chat)).collect())
}

/// Loads the messages in a range of positions, newest first, with their readers. `members`: all members of
/// the chat, whose read markers count.
pub fn among(
    conn: &mut AnyConn,
    chat: ChatId,
    places: RangeInclusive<Pos>,
    members: &[Member],
) -> Result<Vec<Message>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM messages m WHERE m.chat_id = ? AND m.pos BETWEEN ? AND ? ORDER BY m.pos DESC",
        chat,
        *places.start(),
        *places.end()
    )
    .rows::<SentRow>(conn)?;
    let member = |id: UserId| members.iter().map(|member| &member.user).find(|user| user.id == id);
    let mut former: Vec<UserId> = rows.iter().map(|row| row.sender_id).collect();
    former.retain(|sender| member(*sender).is_none());
    former.sort_unstable();
    former.dedup();
    let former = if former.is_empty() { Vec::new() } else { users::cards(conn, &former)? };
    let mut messages = Vec::with_capacity(rows.len());
    for SentRow { sender_id: sender, message } in rows {
        let card = member(sender).or_else(|| former.iter().find(|user| user.id == sender));
        let Some(card) = card else { continue };
        let mut unlinked = message.sent_by(chat, card.clone());
        unlinked.message.note_readers(members);
        messages.push(unlinked);
    }
    quotes::add(conn, messages)
}

/// Loads the replies in a range of positions of a thread, newest first, without their readers.
pub fn replies(
    conn: &mut AnyConn,
    chat: ChatId,
    root: MessageId,
    places: RangeInclusive<Pos>,
) -> Result<Vec<Message>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM thread_replies t JOIN messages m ON m.chat_id = ? AND m.pos = t.chat_pos \
         JOIN users u ON u.id = m.sender_id WHERE t.root_id = ? AND t.pos BETWEEN ? AND ? ORDER BY t.pos DESC",
        chat,
        root,
        *places.start(),
        *places.end()
    );
    let rows = rows.rows::<MessageRow>(conn)?;
    quotes::add(conn, rows.into_iter().map(|row| row.posted_in(chat)).collect())
}

/// Loads the messages with these ids, newest first, without their readers.
pub fn with_ids(conn: &mut AnyConn, ids: &[i64]) -> Result<Vec<Message>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM message_ids i JOIN messages m ON m.chat_id = i.chat_id AND m.pos = i.pos \
         JOIN users u ON u.id = m.sender_id WHERE i.id IN ? ORDER BY i.id DESC",
        ids
    );
    let rows = rows.rows::<FoundRow>(conn)?;
    quotes::add(conn, rows.into_iter().map(|row| row.found.posted_in(row.chat_id)).collect())
}

/// Loads the newest message of a chat that is not deleted, without its readers.
pub fn last_live(conn: &mut AnyConn, chat: &Chat) -> Result<Option<Message>, StorageError> {
    if chat.last_live_pos == 0 { Ok(None) } else { at(conn, chat.id, chat.last_live_pos) }
}

/// Returns the id of the newest message of a chat, tombstones included.
pub fn last_id(conn: &mut AnyConn, chat: &Chat) -> Result<Option<MessageId>, StorageError> {
    positions::id_at(conn, chat.id, chat.last_pos)
}

/// Loads messages in a range of positions that changed after `since`, in the order of their changes, without
/// their readers.
pub fn changed(
    conn: &mut AnyConn,
    chat: ChatId,
    since: Seq,
    places: RangeInclusive<Pos>,
    limit: i64,
) -> Result<Vec<Message>, StorageError> {
    // `+ 0`: PostgreSQL would take a range of positions for narrower than the changes, and read the whole history.
    let rows = sql!(
        "SELECT {} FROM (SELECT * FROM messages WHERE chat_id = ? AND seq > ? AND seq > created_seq AND pos + 0 BETWEEN ? AND ? \
            ORDER BY seq LIMIT ?) AS m JOIN users u ON u.id = m.sender_id ORDER BY m.seq",
        chat,
        since,
        *places.start(),
        *places.end(),
        limit
    )
    .rows::<MessageRow>(conn)?;
    quotes::add(conn, rows.into_iter().map(|row| row.posted_in(chat)).collect())
}

/// Returns the messages posted after change `since` that have changed after their posting. Each has the
/// sequence number of its posting.
pub fn posted_and_changed(
    conn: &mut AnyConn,
    chat: &Chat,
    since: Seq,
) -> Result<Vec<(MessageId, Seq)>, StorageError> {
    let known = positions::posted_up_to(conn, chat, since)?;
    let mut rows = Vec::new();
    for places in [known.last + 1..=chat.last_pos, -chat.reply_count..=-known.replies - 1] {
        let changed = sql!(
            // The sum keeps PostgreSQL from using the index of all messages that ever changed.
            "SELECT id, created_seq FROM messages WHERE chat_id = ? AND pos BETWEEN ? AND ? AND seq + 0 > created_seq",
            chat.id,
            *places.start(),
            *places.end()
        );
        rows.extend(changed.rows::<(MessageId, Seq)>(conn)?);
    }
    Ok(rows)
}
