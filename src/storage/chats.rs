//! Chats: their rows, what a chat object shows, the list of a user's chats.

use super::{
    AnyConn, KnownChats, Rules, StorageError, chat_search, members,
    membership::{MembershipRow, me_columns, membership_from, place_columns},
    messages,
    patterns::different_words,
    purge,
    sql::sql,
    unread, users,
};
use crate::{
    model::{
        Chat, ChatId, ChatKind, ChatSnapshot, FieldErrors, HostObject, Role, Seq, ShownChat, Timestamp,
        UserId, Viewer, permission::Ability, records::LISTED_MEMBERS, text::fold,
    },
    search::Matching,
};

pub use super::membership::{Membership, authorized, membership};

/// The columns of a chat in the order of [`ChatRow`]; `c` is the chats table.
macro_rules! chat_columns {
    () => {
        "c.id, c.chat_type, c.title, c.created_at, c.updated_at, c.seq, c.last_pos, c.last_live_pos, \
         c.deleted_count, c.member_count, c.is_public, c.object_type, c.object_id"
    };
}
pub(super) use chat_columns;

pub(super) type ChatRow =
    (i64, String, Option<String>, i64, i64, i64, i64, i64, i64, i64, bool, Option<String>, Option<String>);

pub(super) fn chat(row: ChatRow) -> Chat {
    let (
        id,
        kind,
        title,
        created,
        updated,
        seq,
        last_pos,
        last_live_pos,
        deleted_count,
        member_count,
        is_public,
        object_type,
        object_id,
    ) = row;
    Chat {
        id: ChatId(id),
        kind: ChatKind::parse(&kind).unwrap_or(ChatKind::Group),
        title,
        created_at: Timestamp(created),
        updated_at: Timestamp(updated),
        seq,
        last_pos,
        last_live_pos,
        deleted_count,
        member_count,
        is_public,
        object: object_type.zip(object_id).map(|(kind, id)| HostObject { kind, id }),
    }
}

/// Which of these chats there are.
pub(super) fn existing(conn: &mut AnyConn, chats: &[ChatId]) -> Result<Vec<ChatId>, StorageError> {
    let ids: Vec<i64> = chats.iter().map(|chat| chat.0).collect();
    let rows = sql!("SELECT id FROM chats WHERE id IN ? AND deleted_at IS NULL", ids.as_slice())
        .rows::<(i64,)>(conn)?;
    Ok(rows.into_iter().map(|(id,)| ChatId(id)).collect())
}

/// A chat about to be made.
pub struct NewRow<'a> {
    pub kind: ChatKind,
    pub title: Option<&'a str>,
    pub member_count: i64,
    pub is_public: bool,
    pub object: Option<&'a HostObject>,
}

/// Makes a chat's row; its first change, number 1, is its making.
pub fn insert(conn: &mut AnyConn, new: &NewRow) -> Result<Chat, StorageError> {
    let now = Timestamp::now();
    let title_key = new.title.map(fold);
    let (id,) = sql!(
        "INSERT INTO chats (chat_type, title, title_key, created_at, updated_at, seq, meta_seq, last_pos, \
         last_live_pos, deleted_count, member_count, is_public, object_type, object_id) \
         VALUES (?, ?, ?, ?, ?, 1, 1, 0, 0, 0, ?, ?, ?, ?) RETURNING id",
        new.kind.as_str(),
        new.title,
        title_key.as_deref(),
        now,
        now,
        new.member_count,
        new.is_public,
        new.object.map(|object| object.kind.as_str()),
        new.object.map(|object| object.id.as_str())
    )
    .one::<(i64,)>(conn)?;
    Ok(Chat {
        id: ChatId(id),
        kind: new.kind,
        title: new.title.map(str::to_owned),
        created_at: now,
        updated_at: now,
        seq: 1,
        last_pos: 0,
        last_live_pos: 0,
        deleted_count: 0,
        member_count: new.member_count,
        is_public: new.is_public,
        object: new.object.cloned(),
    })
}

/// Stores what a change has moved in a chat's row; a title is stored by [`rename`].
pub fn update(conn: &mut AnyConn, chat: &Chat) -> Result<(), StorageError> {
    sql!(
        "UPDATE chats SET updated_at = ?, seq = ?, last_pos = ?, last_live_pos = ?, deleted_count = ?, \
         member_count = ? WHERE id = ?",
        chat.updated_at,
        chat.seq,
        chat.last_pos,
        chat.last_live_pos,
        chat.deleted_count,
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

/// Stores that a room is public, as the chat's latest change.
pub fn open(conn: &mut AnyConn, chat: &Chat) -> Result<(), StorageError> {
    sql!("UPDATE chats SET is_public = ?, meta_seq = ? WHERE id = ?", chat.is_public, chat.seq, chat.id)
        .run(conn)?;
    Ok(())
}

/// Takes a chat away from everybody at once; its rows are purged later, most members of a large one too: who asks for a
/// user's chats leaves out what is deleted.
pub fn mark_deleted(conn: &mut AnyConn, chat: &Chat) -> Result<(), StorageError> {
    sql!(
        "UPDATE chats SET deleted_at = ?, seq = ?, member_count = 0 WHERE id = ?",
        Timestamp::now(),
        chat.seq,
        chat.id
    )
    .run(conn)?;
    if chat.kind == ChatKind::Dm {
        // By its key, or all dms would be looked through.
        sql!(
            "DELETE FROM dm_pairs WHERE (low_id, high_id) = \
             (SELECT min(user_id), max(user_id) FROM members WHERE chat_id = ?) AND chat_id = ?",
            chat.id,
            chat.id
        )
        .run(conn)?;
    }
    purge::clear_members(conn, chat.id)?;
    Ok(())
}

/// The dm of two users, who may be the same one.
pub fn dm_of(conn: &mut AnyConn, one: UserId, other: UserId) -> Result<Option<ChatId>, StorageError> {
    let (low, high) = (one.min(other), one.max(other));
    let row = sql!("SELECT chat_id FROM dm_pairs WHERE low_id = ? AND high_id = ?", low, high);
    Ok(row.first::<(i64,)>(conn)?.map(|(id,)| ChatId(id)))
}

/// Notes which dm belongs to two users.
pub fn insert_dm(conn: &mut AnyConn, one: UserId, other: UserId, chat: ChatId) -> Result<(), StorageError> {
    let (low, high) = (one.min(other), one.max(other));
    sql!("INSERT INTO dm_pairs (low_id, high_id, chat_id) VALUES (?, ?, ?)", low, high, chat).run(conn)?;
    Ok(())
}

/// What a chat object shows to everybody.
pub fn snapshot_of(conn: &mut AnyConn, rules: &Rules, chat: Chat) -> Result<ChatSnapshot, StorageError> {
    let members = members::first(conn, chat.id, LISTED_MEMBERS)?;
    let all_listed = chat.member_count <= members.len() as i64;
    let admins = if all_listed {
        members.iter().filter(|m| m.role == Role::Admin).map(|m| m.user.id).collect()
    } else {
        members::admins(conn, chat.id)?
    };
    let mut last_message = messages::last_live(conn, &chat)?;
    if let Some(message) = &mut last_message {
        let max = rules.receipts_max_members;
        if all_listed && chat.member_count <= max {
            message.note_readers(&members);
        } else {
            message.note_readers(&members::readers(conn, &chat, max)?);
        }
    }
    Ok(ChatSnapshot { chat, members, admins, last_message })
}

/// A chat as `user` sees it.
pub fn view(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: ChatId,
    user: UserId,
) -> Result<(ChatSnapshot, Viewer), StorageError> {
    let membership = authorized(conn, chat, user, Ability::See)?;
    let viewer = membership.viewer(conn)?;
    let snapshot = snapshot_of(conn, rules, membership.chat)?;
    Ok((if viewer.role.is_some() { snapshot } else { snapshot.from_outside() }, viewer))
}

/// A chat that is not deleted.
pub fn find(conn: &mut AnyConn, id: ChatId) -> Result<Option<Chat>, StorageError> {
    let row = sql!(
        concat!("SELECT ", chat_columns!(), " FROM chats c WHERE c.id = ? AND c.deleted_at IS NULL"),
        id
    );
    Ok(row.first(conn)?.map(chat))
}

/// The number of the latest change of each of these chats, deleted ones included as long as they are there.
pub fn heads_of(conn: &mut AnyConn, ids: &[ChatId]) -> Result<Vec<(ChatId, Seq)>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = sql!("SELECT id, seq FROM chats WHERE id IN ?", ids.as_slice()).rows::<(i64, i64)>(conn)?;
    Ok(rows.into_iter().map(|(id, seq)| (ChatId(id), seq)).collect())
}

/// The chats that `user` is in, with the number of the latest change of each.
pub fn heads(conn: &mut AnyConn, user: UserId) -> Result<Vec<(ChatId, i64)>, StorageError> {
    let rows = sql!(
        "SELECT c.id, c.seq FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL",
        user
    )
    .rows::<(i64, i64)>(conn)?;
    Ok(rows.into_iter().map(|(id, seq)| (ChatId(id), seq)).collect())
}

/// Which of a user's chats to list.
#[derive(Debug, Clone, Default)]
pub struct ChatFilter {
    /// Every word must be found in the title or in a member's name.
    pub search: String,
    pub matching: Matching,
    pub kind: Option<ChatKind>,
}

/// How many chats of `user` pass the filter, and those from number `skip` on, pinned ones before others and the
/// latest activity first.
pub fn page(
    conn: &mut AnyConn,
    known: &KnownChats,
    user: UserId,
    filter: &ChatFilter,
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<ShownChat>), StorageError> {
    let mut listed = listed(conn, user, filter.kind)?;
    let search = fold(&filter.search);
    let words = different_words(&search);
    if !words.is_empty() {
        let found = chat_search::with_every_word(conn, user, &words, filter.matching)?;
        listed.retain(|chat| found.binary_search(chat).is_ok());
    }
    let page: Vec<i64> = listed.iter().skip(skip as usize).take(limit as usize).copied().collect();
    let look = known.look(conn)?;
    let page = places(conn, user, &page)?.into_iter().map(|membership| look.shown(conn, membership));
    Ok((listed.len() as i64, page.collect::<Result<_, _>>()?))
}

/// The user's chats in the order in which they are listed. Databases put whole rows in order, of which a page shows few;
/// so they are asked for what the order depends on only.
fn listed(conn: &mut AnyConn, user: UserId, kind: Option<ChatKind>) -> Result<Vec<i64>, StorageError> {
    let mut rows = sql!(
        "SELECT m.is_pinned, c.updated_at, m.chat_id FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL AND (? OR c.chat_type = ?)",
        user,
        kind.is_none(),
        kind.map_or("", ChatKind::as_str)
    )
    .rows::<(bool, i64, i64)>(conn)?;
    rows.sort_unstable_by(|one, other| other.cmp(one));
    Ok(rows.into_iter().map(|(_, _, chat)| chat).collect())
}

/// These chats, all of which the user is in, in the order given.
fn places(conn: &mut AnyConn, user: UserId, chats: &[i64]) -> Result<Vec<Membership>, StorageError> {
    let rows = sql!(
        concat!(
            "SELECT ",
            chat_columns!(),
            ", ",
            place_columns!(),
            " FROM chats c JOIN members m ON m.chat_id = c.id ",
            "WHERE c.id IN ? AND m.user_id = ? AND m.left_seq IS NULL"
        ),
        chats,
        user
    )
    .rows::<MembershipRow>(conn)?;
    let mut places: Vec<_> = rows.into_iter().map(|row| membership_from(user, row)).collect();
    places.sort_by_cached_key(|place| chats.iter().position(|chat| *chat == place.chat.id.0));
    Ok(places)
}

/// Unread messages by chat, of those of the user's chats that have any, by chat id.
pub fn unread_by_chat(conn: &mut AnyConn, user: UserId) -> Result<Vec<(ChatId, i64)>, StorageError> {
    let rows = sql!(
        concat!(
            "SELECT ",
            chat_columns!(),
            ", ",
            place_columns!(),
            " FROM members m JOIN chats c ON c.id = m.chat_id ",
            "WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL ",
            "AND (m.read_pos < c.last_pos OR m.unread_pos IS NOT NULL) ",
            "ORDER BY c.id"
        ),
        user
    )
    .rows::<MembershipRow>(conn)?;
    let memberships: Vec<Membership> = rows.into_iter().map(|row| membership_from(user, row)).collect();
    let own = own_unread(conn, user, &memberships)?;
    let mut unread = Vec::new();
    for (membership, (_, own)) in memberships.into_iter().zip(own) {
        let after = unread::counted_after(membership.read_pos, membership.unread_pos);
        let count = unread::count_without(conn, &membership.chat, user, after, own)?;
        if count > 0 {
            unread.push((membership.chat.id, count));
        }
    }
    Ok(unread)
}

/// How many of the messages that count as unread are the user's own, for these chats in the order of their ids: in one
/// statement, however many chats these are.
fn own_unread(
    conn: &mut AnyConn,
    user: UserId,
    memberships: &[Membership],
) -> Result<Vec<(i64, i64)>, StorageError> {
    let ids: Vec<i64> = memberships.iter().map(|membership| membership.chat.id.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sql!(
        "SELECT c.id, \
            coalesce((SELECT ordinal FROM messages WHERE chat_id = c.id AND pos = ( \
                SELECT max(pos) FROM messages WHERE chat_id = c.id AND sender_id = m.user_id AND pos <= c.last_pos)), 0) \
          - coalesce((SELECT ordinal FROM messages WHERE chat_id = c.id AND pos = ( \
                SELECT max(pos) FROM messages WHERE chat_id = c.id AND sender_id = m.user_id AND pos <= \
                    CASE WHEN m.unread_pos <= m.read_pos THEN m.unread_pos - 1 ELSE m.read_pos END)), 0) \
         FROM members m JOIN chats c ON c.id = m.chat_id WHERE m.chat_id IN ? AND m.user_id = ? ORDER BY c.id",
        ids.as_slice(),
        user
    );
    Ok(rows.rows(conn)?)
}

/// Users that a command names must exist and be active; those that do not are named in the error.
pub fn expect_users(conn: &mut AnyConn, field: &'static str, ids: &[UserId]) -> Result<(), StorageError> {
    let known: Vec<UserId> = users::active_cards(conn, ids)?.into_iter().map(|card| card.id).collect();
    let mut errors = FieldErrors::default();
    for id in ids.iter().filter(|id| known.binary_search(id).is_err()) {
        errors.add(field, format!("Invalid pk \"{id}\" - object does not exist."));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
}
