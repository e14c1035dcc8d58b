//! Guests that became users with an account, and the chats whose messages were handed over.

use std::ops::RangeInclusive;

use super::members;
use crate::{
    core::model::{Chat, ChatId, Pos, Seq, UserId},
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::delete_some},
    },
};

/// Stores that a guest became a user. `key_hash`: the hash of the guest's key.
pub fn insert(conn: &mut AnyConn, guest: UserId, user: UserId, key_hash: &str) -> Result<(), StorageError> {
    sql!("INSERT INTO merged_guests (guest_id, user_id, key_hash) VALUES (?, ?, ?)", guest, user, key_hash)
        .run(conn)?;
    Ok(())
}

/// Finds the guest of a key, and the user that the guest became.
pub fn by_key(conn: &mut AnyConn, key_hash: &str) -> Result<Option<(UserId, UserId)>, StorageError> {
    Ok(sql!("SELECT guest_id, user_id FROM merged_guests WHERE key_hash = ?", key_hash).first(conn)?)
}

/// Returns the user that a guest became.
pub fn user_of(conn: &mut AnyConn, guest: UserId) -> Result<Option<UserId>, StorageError> {
    Ok(sql!("SELECT user_id FROM merged_guests WHERE guest_id = ?", guest).first(conn)?)
}

/// Returns whether messages of a chat were handed over.
pub fn is_chat_merged(conn: &mut AnyConn, chat: ChatId, guest: UserId) -> Result<bool, StorageError> {
    let row = sql!("SELECT seq FROM chat_merges WHERE chat_id = ? AND guest_id = ?", chat, guest);
    Ok(row.first::<Seq>(conn)?.is_some())
}

/// Stores that messages of a chat were handed over, as its latest change.
pub fn record_chat(
    conn: &mut AnyConn,
    chat: ChatId,
    (guest, user): (UserId, UserId),
    seq: Seq,
) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO chat_merges (chat_id, guest_id, user_id, seq) VALUES (?, ?, ?, ?) \
         ON CONFLICT (chat_id, guest_id) DO UPDATE SET seq = excluded.seq",
        chat,
        guest,
        user,
        seq
    )
    .run(conn)?;
    Ok(())
}

/// Returns the handovers in a chat after change `since`: the guest, the user and the sequence number of each.
pub fn since(
    conn: &mut AnyConn,
    chat: ChatId,
    since: Seq,
    limit: i64,
) -> Result<Vec<(UserId, UserId, Seq)>, StorageError> {
    let rows = sql!(
        "SELECT guest_id, user_id, seq FROM chat_merges WHERE chat_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        chat,
        since,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Returns the positions of a sender's messages in a range, and whether each is deleted.
pub fn sent_in(
    conn: &mut AnyConn,
    chat: ChatId,
    sender: UserId,
    places: RangeInclusive<Pos>,
) -> Result<Vec<(Pos, bool)>, StorageError> {
    let rows = sql!(
        "SELECT pos, is_deleted FROM messages WHERE chat_id = ? AND pos BETWEEN ? AND ? AND sender_id = ? ORDER BY pos",
        chat,
        *places.start(),
        *places.end(),
        sender
    );
    Ok(rows.rows(conn)?)
}

/// Makes messages those of another sender. A client id that the other sender has used in the chat is dropped.
pub fn hand_over_messages(
    conn: &mut AnyConn,
    chat: ChatId,
    to: UserId,
    places: &[Pos],
) -> Result<(), StorageError> {
    sql!(
        "UPDATE messages SET sender_id = ?, client_id = CASE WHEN EXISTS (SELECT 1 FROM messages o \
            WHERE o.chat_id = messages.chat_id AND o.sender_id = ? AND o.client_id = messages.client_id) \
            THEN NULL ELSE client_id END \
         WHERE chat_id = ? AND pos IN ?",
        to,
        to,
        chat,
        places
    )
    .run(conn)?;
    Ok(())
}

/// Adds a user to a chat in the place of a guest, with the guest's read marker and settings. `chat` already has the
/// sequence number of this change.
pub fn take_place(
    conn: &mut AnyConn,
    chat: &Chat,
    (guest, user): (UserId, UserId),
) -> Result<(), StorageError> {
    sql!("DELETE FROM members WHERE chat_id = ? AND user_id = ?", chat.id, user).run(conn)?;
    sql!(
        "INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, \
         read_message_id, from_pos, from_message_id, is_own, is_pinned, muted_until, notify) \
         SELECT chat_id, ?, role, joined_at, ?, ?, ?, read_pos, read_message_id, from_pos, from_message_id, is_own, \
         is_pinned, muted_until, notify FROM members WHERE chat_id = ? AND user_id = ?",
        user,
        chat.seq,
        chat.seq,
        chat.seq,
        chat.id,
        guest
    )
    .run(conn)?;
    members::note_change(conn, chat.id, chat.seq)
}

/// Removes some of the rows of a deleted chat. Returns whether there were any.
pub(crate) fn clear_chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(delete_some!(conn, "chat_merges", "chat_id, guest_id", "chat_id = ?", chat)? > 0)
}
