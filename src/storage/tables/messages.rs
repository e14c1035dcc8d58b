//! Messages: posted, edited, deleted, found by id, by place and by client id. Pages are ranges of places.

use std::ops::RangeInclusive;

use super::{
    rows::{CardRow, card_columns, card_of},
    users,
};
use crate::{
    core::model::{Chat, ChatId, Member, Message, MessageId, Pos, Seq, Timestamp, UserCard, UserId},
    storage::{
        AnyConn, StorageError,
        db::sql::{Both, sql},
    },
};

/// The columns of what was said, in the order of [`SaidRow`].
macro_rules! said_columns {
    () => {
        "m.id, m.pos, m.seq, m.content, m.created_at, m.updated_at, m.is_edited, m.is_deleted, m.client_id, m.reactions"
    };
}

/// The columns of a message in the order of [`MessageRow`], the sender's card last.
macro_rules! message_columns {
    () => {
        concat!(said_columns!(), ", ", card_columns!())
    };
}

type SaidRow = (i64, i64, i64, String, i64, i64, bool, bool, Option<String>, String);
type MessageRow = Both<SaidRow, CardRow>;

pub(crate) fn message(chat: ChatId, Both(said, sender): MessageRow) -> Message {
    said_by(chat, said, card_of(sender))
}

fn said_by(chat: ChatId, row: SaidRow, sender: UserCard) -> Message {
    let (id, pos, seq, content, created_at, updated_at, is_edited, is_deleted, client_id, reactions) = row;
    Message {
        id: MessageId(id),
        chat,
        pos,
        seq,
        content,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
        is_edited,
        is_deleted,
        sender,
        client_id,
        reactions,
        read_by: Vec::new(),
        read_count: 0,
    }
}

/// A message about to be posted, whose id is not drawn yet.
pub struct NewMessage {
    pub message: Message,
    /// Keyed hash of the content; given where there is a client id.
    pub content_hash: Option<Vec<u8>>,
}

/// Stores a message under an id, the how-manieth of its sender in the chat.
pub fn insert(conn: &mut AnyConn, id: MessageId, new: &NewMessage, ordinal: i64) -> Result<(), StorageError> {
    let message = &new.message;
    sql!("INSERT INTO message_ids (id, chat_id, pos) VALUES (?, ?, ?)", id, message.chat, message.pos)
        .run(conn)?;
    sql!(
        "INSERT INTO messages (chat_id, pos, id, sender_id, ordinal, content, created_at, updated_at, is_edited, \
         is_deleted, created_seq, seq, client_id, content_hash, reactions) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, FALSE, FALSE, ?, ?, ?, ?, '[]')",
        message.chat,
        message.pos,
        id,
        message.sender.id,
        ordinal,
        &message.content,
        message.created_at,
        message.updated_at,
        message.seq,
        message.seq,
        message.client_id.as_deref(),
        new.content_hash.as_deref()
    )
    .run(conn)?;
    Ok(())
}

/// How many messages a user has posted in a chat after one place and up to another, deleted ones included.
pub fn sent_between(
    conn: &mut AnyConn,
    chat: ChatId,
    sender: UserId,
    after: Pos,
    last: Pos,
) -> Result<i64, StorageError> {
    let row = sql!(
        // The index by sender answers max(). With ORDER BY pos, SQLite walks back through the whole chat instead.
        "SELECT (SELECT ordinal FROM messages WHERE chat_id = ? \
            AND pos = (SELECT max(pos) FROM messages WHERE chat_id = ? AND sender_id = ? AND pos <= ?)), \
         (SELECT ordinal FROM messages WHERE chat_id = ? \
            AND pos = (SELECT max(pos) FROM messages WHERE chat_id = ? AND sender_id = ? AND pos <= ?))",
        chat,
        chat,
        sender,
        last,
        chat,
        chat,
        sender,
        after
    );
    let (up_to_last, up_to_after) = row.one::<(Option<i64>, Option<i64>)>(conn)?;
    Ok(up_to_last.unwrap_or(0) - up_to_after.unwrap_or(0))
}

/// Replaces what a message says.
pub fn edit(
    conn: &mut AnyConn,
    place: (ChatId, Pos),
    content: &str,
    seq: Seq,
    at: Timestamp,
) -> Result<(), StorageError> {
    sql!(
        "UPDATE messages SET content = ?, updated_at = ?, is_edited = TRUE, seq = ? WHERE chat_id = ? AND pos = ?",
        content,
        at,
        seq,
        place.0,
        place.1
    )
    .run(conn)?;
    Ok(())
}

/// Makes a message a tombstone; its text is gone.
pub fn bury(conn: &mut AnyConn, place: (ChatId, Pos), seq: Seq, at: Timestamp) -> Result<(), StorageError> {
    sql!(
        "UPDATE messages SET content = '', content_hash = NULL, reactions = '[]', is_deleted = TRUE, \
         updated_at = ?, seq = ? WHERE chat_id = ? AND pos = ?",
        at,
        seq,
        place.0,
        place.1
    )
    .run(conn)?;
    Ok(())
}

/// Stores the rendered reactions of a message.
pub fn set_reactions(
    conn: &mut AnyConn,
    place: (ChatId, Pos),
    json: &str,
    seq: Seq,
) -> Result<(), StorageError> {
    sql!(
        "UPDATE messages SET reactions = ?, seq = ? WHERE chat_id = ? AND pos = ?",
        json,
        seq,
        place.0,
        place.1
    )
    .run(conn)?;
    Ok(())
}

/// Where a message is, tombstones included.
pub fn locate(conn: &mut AnyConn, id: MessageId) -> Result<Option<(ChatId, Pos)>, StorageError> {
    let row = sql!("SELECT chat_id, pos FROM message_ids WHERE id = ?", id);
    Ok(row.first::<(i64, i64)>(conn)?.map(|(chat, pos)| (ChatId(chat), pos)))
}

/// The message at a place, without its readers.
pub fn at(conn: &mut AnyConn, chat: ChatId, pos: Pos) -> Result<Option<Message>, StorageError> {
    Ok(range(conn, chat, pos..=pos)?.pop())
}

/// The message with an id, in the chat named, without its readers.
pub fn in_chat(conn: &mut AnyConn, chat: ChatId, id: MessageId) -> Result<Option<Message>, StorageError> {
    match locate(conn, id)? {
        Some((place, pos)) if place == chat => at(conn, chat, pos),
        _ => Ok(None),
    }
}

/// The messages at a range of places, newest first, without their readers.
pub fn range(
    conn: &mut AnyConn,
    chat: ChatId,
    places: RangeInclusive<Pos>,
) -> Result<Vec<Message>, StorageError> {
    let rows = sql!(
        concat!(
            "SELECT ",
            message_columns!(),
            " FROM messages m JOIN users u ON u.id = m.sender_id ",
            "WHERE m.chat_id = ? AND m.pos BETWEEN ? AND ? ORDER BY m.pos DESC"
        ),
        chat,
        *places.start(),
        *places.end()
    )
    .rows::<MessageRow>(conn)?;
    Ok(rows.into_iter().map(|row| message(chat, row)).collect())
}

/// The same with their readers, in a chat whose members are known, and whose marks count.
pub fn among(
    conn: &mut AnyConn,
    chat: ChatId,
    places: RangeInclusive<Pos>,
    members: &[Member],
) -> Result<Vec<Message>, StorageError> {
    let rows = sql!(
        concat!(
            "SELECT m.sender_id, ",
            said_columns!(),
            " FROM messages m WHERE m.chat_id = ? AND m.pos BETWEEN ? AND ? ORDER BY m.pos DESC"
        ),
        chat,
        *places.start(),
        *places.end()
    )
    .rows::<Both<(i64,), SaidRow>>(conn)?;
    let member = |id: UserId| members.iter().map(|member| &member.user).find(|user| user.id == id);
    let mut left: Vec<UserId> = rows.iter().map(|Both((sender,), _)| UserId(*sender)).collect();
    left.retain(|sender| member(*sender).is_none());
    left.sort_unstable();
    left.dedup();
    let left = if left.is_empty() { Vec::new() } else { users::cards(conn, &left)? };
    let mut messages = Vec::with_capacity(rows.len());
    for Both((sender,), said) in rows {
        let sender = UserId(sender);
        let card = member(sender).or_else(|| left.iter().find(|user| user.id == sender));
        let Some(card) = card else { continue };
        let mut message = said_by(chat, said, card.clone());
        message.note_readers(members);
        messages.push(message);
    }
    Ok(messages)
}

/// The messages with some ids, newest first, without their readers.
pub fn with_ids(conn: &mut AnyConn, ids: &[i64]) -> Result<Vec<Message>, StorageError> {
    let chats = sql!("SELECT chat_id FROM message_ids WHERE id IN ? ORDER BY id DESC", ids);
    let chats = chats.rows::<(i64,)>(conn)?;
    let rows = sql!(
        concat!(
            "SELECT ",
            message_columns!(),
            " FROM message_ids i JOIN messages m ON m.chat_id = i.chat_id AND m.pos = i.pos ",
            "JOIN users u ON u.id = m.sender_id WHERE i.id IN ? ORDER BY i.id DESC"
        ),
        ids
    )
    .rows::<MessageRow>(conn)?;
    Ok(chats.into_iter().zip(rows).map(|((chat,), row)| message(ChatId(chat), row)).collect())
}

/// The newest message of a chat that is not deleted, with its readers left to the caller.
pub fn last_live(conn: &mut AnyConn, chat: &Chat) -> Result<Option<Message>, StorageError> {
    if chat.last_live_pos == 0 { Ok(None) } else { at(conn, chat.id, chat.last_live_pos) }
}

/// The id of the newest message of a chat, tombstones included.
pub fn last_id(conn: &mut AnyConn, chat: &Chat) -> Result<Option<MessageId>, StorageError> {
    id_at(conn, chat.id, chat.last_pos)
}

/// The id of the message at a place.
pub fn id_at(conn: &mut AnyConn, chat: ChatId, pos: Pos) -> Result<Option<MessageId>, StorageError> {
    let row = sql!("SELECT id FROM messages WHERE chat_id = ? AND pos = ?", chat, pos);
    Ok(row.first::<(i64,)>(conn)?.map(|(id,)| MessageId(id)))
}

/// How many messages of a chat have an id below `id`, which need not be one of a message there.
pub fn places_before(conn: &mut AnyConn, chat: &Chat, id: i64) -> Result<Pos, StorageError> {
    if let Some((place, pos)) = locate(conn, MessageId(id))?
        && place == chat.id
    {
        return Ok(pos - 1);
    }
    // Ids rise with places, so the place of a stranger is found by halving.
    let (mut low, mut high) = (0, chat.last_pos);
    while low < high {
        let middle = low + (high - low + 1) / 2;
        match id_at(conn, chat.id, middle)? {
            Some(found) if found.0 < id => low = middle,
            _ => high = middle - 1,
        }
    }
    Ok(low)
}

/// How many messages had been posted when the change `seq` was made. The numbers of posting rise with places, so
/// it is found by halving.
pub fn posted_up_to(conn: &mut AnyConn, chat: &Chat, seq: Seq) -> Result<Pos, StorageError> {
    // No message has a number below its place's, the chat's making being number 1.
    let (mut low, mut high) = (0, chat.last_pos.min(seq));
    while low < high {
        let middle = low + (high - low + 1) / 2;
        let row = sql!("SELECT created_seq FROM messages WHERE chat_id = ? AND pos = ?", chat.id, middle);
        match row.first::<(i64,)>(conn)? {
            Some((created,)) if created <= seq => low = middle,
            _ => high = middle - 1,
        }
    }
    Ok(low)
}

/// Messages at places up to `last` that changed since, by the numbers of their changes, without their readers.
pub fn changed(
    conn: &mut AnyConn,
    chat: ChatId,
    since: Seq,
    last: Pos,
    limit: i64,
) -> Result<Vec<Message>, StorageError> {
    let rows = sql!(
        concat!(
            "SELECT ",
            message_columns!(),
            " FROM (SELECT * FROM messages WHERE chat_id = ? AND seq > ? AND seq > created_seq AND pos <= ? ",
            "ORDER BY seq LIMIT ?) AS m JOIN users u ON u.id = m.sender_id ORDER BY m.seq"
        ),
        chat,
        since,
        last,
        limit
    )
    .rows::<MessageRow>(conn)?;
    Ok(rows.into_iter().map(|row| message(chat, row)).collect())
}

/// Messages posted since that have changed since then, with the numbers with which they were posted.
pub fn posted_and_changed(
    conn: &mut AnyConn,
    chat: &Chat,
    since: Seq,
) -> Result<Vec<(MessageId, Seq)>, StorageError> {
    let known = posted_up_to(conn, chat, since)?;
    let rows = sql!(
        // The sum keeps PostgreSQL from the index of all that was ever changed.
        "SELECT id, created_seq FROM messages WHERE chat_id = ? AND pos > ? AND seq + 0 > created_seq",
        chat.id,
        known
    )
    .rows::<(i64, i64)>(conn)?;
    Ok(rows.into_iter().map(|(id, seq)| (MessageId(id), seq)).collect())
}

/// A message that was posted under a client id.
pub struct Posted {
    pub pos: Pos,
    /// `None` once the message is deleted.
    pub content_hash: Option<Vec<u8>>,
}

/// The message that a sender posted under a client id, if there is one.
pub fn by_client_id(
    conn: &mut AnyConn,
    chat: ChatId,
    sender: UserId,
    client_id: &str,
) -> Result<Option<Posted>, StorageError> {
    let row = sql!(
        "SELECT pos, content_hash FROM messages WHERE chat_id = ? AND sender_id = ? AND client_id = ?",
        chat,
        sender,
        client_id
    )
    .first::<(i64, Option<Vec<u8>>)>(conn)?;
    Ok(row.map(|(pos, content_hash)| Posted { pos, content_hash }))
}
