//! The rows of chats, and the dm of each pair of users.

use super::{custom_values, members, rows::ChatRow};
use crate::{
    core::model::{
        Chat, ChatId, ChatKind, Custom, GuestAccess, HostObject, Seq, Timestamp, UserId, text::fold,
    },
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Returns those of these chats that exist and are not deleted.
pub(crate) fn existing(conn: &mut AnyConn, chats: &[ChatId]) -> Result<Vec<ChatId>, StorageError> {
    let ids: Vec<i64> = chats.iter().map(|chat| chat.0).collect();
    Ok(sql!("SELECT id FROM chats WHERE id IN ? AND deleted_at IS NULL", ids.as_slice()).rows(conn)?)
}

/// A chat to be created.
pub struct NewRow<'a> {
    pub kind: ChatKind,
    pub title: Option<&'a str>,
    pub member_count: i64,
    pub is_public: bool,
    pub object: Option<&'a HostObject>,
    pub guest_access: GuestAccess,
    pub custom: &'a Custom,
}

/// Inserts a chat. Its creation is its first change, with sequence number 1.
pub fn insert(conn: &mut AnyConn, new: &NewRow) -> Result<Chat, StorageError> {
    let now = Timestamp::now();
    let title_key = new.title.map(fold);
    let id = sql!(
        "INSERT INTO chats (chat_type, title, title_key, created_at, updated_at, seq, meta_seq, members_seq, \
         last_pos, last_live_pos, deleted_count, member_count, is_public, object_type, object_id, \
         guest_access, custom) VALUES (?, ?, ?, ?, ?, 1, 1, 0, 0, 0, 0, ?, ?, ?, ?, ?, ?) RETURNING id",
        new.kind.as_str(),
        new.title,
        title_key.as_deref(),
        now,
        now,
        new.member_count,
        new.is_public,
        new.object.map(|object| object.kind.as_str()),
        new.object.map(|object| object.id.as_str()),
        new.guest_access.as_str(),
        new.custom.stored()
    )
    .one(conn)?;
    custom_values::update_of_chat(conn, id, &Custom::default(), new.custom)?;
    Ok(Chat {
        id,
        kind: new.kind,
        title: new.title.map(str::to_owned),
        created_at: now,
        updated_at: now,
        seq: 1,
        members_seq: 0,
        last_pos: 0,
        last_live_pos: 0,
        deleted_count: 0,
        reply_count: 0,
        member_count: new.member_count,
        draft_count: 0,
        is_public: new.is_public,
        object: new.object.cloned(),
        guest_access: new.guest_access,
        custom: new.custom.clone(),
    })
}

/// Stores the fields of a chat that any change may move. The title is stored by [`rename`].
pub fn update(conn: &mut AnyConn, chat: &Chat) -> Result<(), StorageError> {
    sql!(
        "UPDATE chats SET updated_at = ?, seq = ?, last_pos = ?, last_live_pos = ?, deleted_count = ?, \
         reply_count = ?, member_count = ? WHERE id = ?",
        chat.updated_at,
        chat.seq,
        chat.last_pos,
        chat.last_live_pos,
        chat.deleted_count,
        chat.reply_count,
        chat.member_count,
        chat.id
    )
    .run(conn)?;
    Ok(())
}

/// Stores a chat's title, as the chat's latest change.
pub fn rename(conn: &mut AnyConn, chat: &Chat) -> Result<(), StorageError> {
    let title = chat.title.as_deref();
    let title_key = title.map(fold);
    sql!(
        "UPDATE chats SET title = ?, title_key = ?, meta_seq = ? WHERE id = ?",
        title,
        title_key.as_deref(),
        chat.seq,
        chat.id
    )
    .run(conn)?;
    Ok(())
}

/// Stores a chat's custom data, as the chat's latest change. `before`: what it was.
pub fn set_custom(conn: &mut AnyConn, chat: &Chat, before: &Custom) -> Result<(), StorageError> {
    sql!("UPDATE chats SET custom = ?, meta_seq = ? WHERE id = ?", chat.custom.stored(), chat.seq, chat.id)
        .run(conn)?;
    custom_values::update_of_chat(conn, chat.id, before, &chat.custom)
}

/// Stores what guests may do in a room, as the chat's latest change.
pub fn set_guest_access(conn: &mut AnyConn, chat: &Chat) -> Result<(), StorageError> {
    let access = chat.guest_access.as_str();
    sql!("UPDATE chats SET guest_access = ?, meta_seq = ? WHERE id = ?", access, chat.seq, chat.id)
        .run(conn)?;
    Ok(())
}

/// Stores that a room is public, as the chat's latest change.
pub fn open(conn: &mut AnyConn, chat: &Chat) -> Result<(), StorageError> {
    sql!("UPDATE chats SET is_public = ?, meta_seq = ? WHERE id = ?", chat.is_public, chat.seq, chat.id)
        .run(conn)?;
    Ok(())
}

/// Marks a chat as deleted, which hides it from all members at once. Its rows are purged later, most member
/// rows of a large chat too: queries for a user's chats leave out deleted ones.
pub fn mark_deleted(conn: &mut AnyConn, chat: &Chat) -> Result<(), StorageError> {
    sql!(
        "UPDATE chats SET deleted_at = ?, seq = ?, member_count = 0 WHERE id = ?",
        Timestamp::now(),
        chat.seq,
        chat.id
    )
    .run(conn)?;
    if chat.kind == ChatKind::Dm {
        // By the key of the pair, since a search by chat would scan all dms.
        sql!(
            "DELETE FROM dm_pairs WHERE (low_id, high_id) = \
             (SELECT min(user_id), max(user_id) FROM members WHERE chat_id = ? AND left_seq IS NULL) AND chat_id = ?",
            chat.id,
            chat.id
        )
        .run(conn)?;
    }
    members::clear_members(conn, chat.id)?;
    Ok(())
}

/// Finds the dm of two users, which may be one and the same.
pub fn dm_of(conn: &mut AnyConn, one: UserId, other: UserId) -> Result<Option<ChatId>, StorageError> {
    let (low, high) = (one.min(other), one.max(other));
    let row = sql!("SELECT chat_id FROM dm_pairs WHERE low_id = ? AND high_id = ?", low, high);
    Ok(row.first::<ChatId>(conn)?)
}

/// Stores the dm of two users.
pub fn insert_dm(conn: &mut AnyConn, one: UserId, other: UserId, chat: ChatId) -> Result<(), StorageError> {
    let (low, high) = (one.min(other), one.max(other));
    sql!("INSERT INTO dm_pairs (low_id, high_id, chat_id) VALUES (?, ?, ?)", low, high, chat).run(conn)?;
    Ok(())
}

/// Removes the dm of two users, whose chat stays.
pub fn remove_dm(conn: &mut AnyConn, one: UserId, other: UserId) -> Result<(), StorageError> {
    let (low, high) = (one.min(other), one.max(other));
    sql!("DELETE FROM dm_pairs WHERE low_id = ? AND high_id = ?", low, high).run(conn)?;
    Ok(())
}

/// Makes a dm a group, as the chat's latest change.
pub fn make_group(conn: &mut AnyConn, chat: &Chat) -> Result<(), StorageError> {
    sql!("UPDATE chats SET chat_type = 'group', meta_seq = ? WHERE id = ?", chat.seq, chat.id).run(conn)?;
    Ok(())
}

/// Loads a chat that is not deleted.
pub fn find(conn: &mut AnyConn, id: ChatId) -> Result<Option<Chat>, StorageError> {
    let row = sql!("SELECT {} FROM chats c WHERE c.id = ? AND c.deleted_at IS NULL", id);
    Ok(row.first::<ChatRow>(conn)?.map(Chat::from))
}

/// Loads the head of each of these chats: the sequence number of its latest change. Includes deleted chats
/// until they are purged.
pub fn heads_of(conn: &mut AnyConn, ids: &[ChatId]) -> Result<Vec<(ChatId, Seq)>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    Ok(sql!("SELECT id, seq FROM chats WHERE id IN ?", ids.as_slice()).rows(conn)?)
}

/// Loads the chats of `user` with the head of each: the sequence number of its latest change.
pub fn heads(conn: &mut AnyConn, user: UserId) -> Result<Vec<(ChatId, i64)>, StorageError> {
    let rows = sql!(
        "SELECT c.id, c.seq FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL",
        user
    );
    Ok(rows.rows(conn)?)
}
