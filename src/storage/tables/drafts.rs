//! Drafts: messages that members have begun to write. A chat's row has the number of its drafts.

use crate::{
    core::model::{Chat, ChatId, Draft, DraftChanged, MessageId, Timestamp, UserId, mentions::Mentions},
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql, steps::delete_some},
    },
};

row! {
    /// A draft.
    struct DraftRow from drafts d {
        chat_id: ChatId,
        thread: i64,
        content: String,
        reply_to: Option<MessageId>,
        mentions: Option<String>,
        updated_at: Timestamp,
    }
}

impl From<DraftRow> for Draft {
    fn from(row: DraftRow) -> Self {
        Self {
            chat: row.chat_id,
            thread: (row.thread != TIMELINE).then_some(MessageId(row.thread)),
            content: row.content,
            reply_to: row.reply_to,
            mentions: Mentions::from_stored(row.mentions.as_deref()),
            updated_at: row.updated_at,
        }
    }
}

/// The key of a chat's timeline, among its threads.
const TIMELINE: i64 = 0;

/// Returns the key of a thread; `None`: the timeline.
fn key(thread: Option<MessageId>) -> i64 {
    thread.map_or(TIMELINE, |message| message.0)
}

/// Loads a user's drafts, the latest first.
pub fn of_user(conn: &mut AnyConn, user: UserId) -> Result<Vec<Draft>, StorageError> {
    let rows = sql!(
        // Rows of deleted chats wait to be purged. A node of an earlier version leaves those of former members. Each
        // subquery is a key lookup, whatever the planner's statistics say.
        "SELECT {} FROM drafts d WHERE d.user_id = ? \
         AND (SELECT deleted_at IS NULL FROM chats WHERE id = d.chat_id) \
         AND (SELECT left_seq IS NULL FROM members WHERE chat_id = d.chat_id AND user_id = d.user_id) \
         ORDER BY d.updated_at DESC, d.chat_id, d.thread",
        user
    );
    Ok(rows.rows::<DraftRow>(conn)?.into_iter().map(Draft::from).collect())
}

/// Counts a user's drafts.
pub fn count(conn: &mut AnyConn, user: UserId) -> Result<i64, StorageError> {
    Ok(sql!("SELECT count(*) FROM drafts WHERE user_id = ?", user).one(conn)?)
}

/// Loads a user's draft of a thread.
pub fn find(
    conn: &mut AnyConn,
    chat: ChatId,
    user: UserId,
    thread: Option<MessageId>,
) -> Result<Option<Draft>, StorageError> {
    let row = sql!(
        "SELECT {} FROM drafts d WHERE d.chat_id = ? AND d.user_id = ? AND d.thread = ?",
        chat,
        user,
        key(thread)
    );
    Ok(row.first::<DraftRow>(conn)?.map(Draft::from))
}

/// Adds a draft.
pub fn insert(conn: &mut AnyConn, user: UserId, draft: &Draft) -> Result<(), StorageError> {
    let mentions = draft.mentions.stored();
    sql!(
        "INSERT INTO drafts (chat_id, user_id, thread, content, reply_to, mentions, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        draft.chat,
        user,
        key(draft.thread),
        draft.content.as_str(),
        draft.reply_to,
        mentions.as_deref(),
        draft.updated_at
    )
    .run(conn)?;
    add_to_count(conn, draft.chat, 1)
}

/// Replaces a draft.
pub fn update(conn: &mut AnyConn, user: UserId, draft: &Draft) -> Result<(), StorageError> {
    let mentions = draft.mentions.stored();
    sql!(
        "UPDATE drafts SET content = ?, reply_to = ?, mentions = ?, updated_at = ? \
         WHERE chat_id = ? AND user_id = ? AND thread = ?",
        draft.content.as_str(),
        draft.reply_to,
        mentions.as_deref(),
        draft.updated_at,
        draft.chat,
        user,
        key(draft.thread)
    )
    .run(conn)?;
    Ok(())
}

/// A user's place in a chat at which a draft may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    pub chat: ChatId,
    pub user: UserId,
    pub thread: Option<MessageId>,
}

/// Removes the drafts at these places. Returns the places that had one.
pub fn remove(conn: &mut AnyConn, places: &[Place]) -> Result<Vec<Place>, StorageError> {
    let removed = match conn {
        AnyConn::Sqlite(_) => remove_each(conn, places)?,
        AnyConn::Postgres(_) => remove_together(conn, places)?,
    };
    for place in &removed {
        add_to_count(conn, place.chat, -1)?;
    }
    Ok(removed)
}

/// A statement is a function call on SQLite, where `RETURNING` costs a temporary table.
fn remove_each(conn: &mut AnyConn, places: &[Place]) -> Result<Vec<Place>, StorageError> {
    let mut removed = Vec::new();
    for place in places {
        let thread = key(place.thread);
        let statement = sql!(
            "DELETE FROM drafts WHERE chat_id = ? AND user_id = ? AND thread = ?",
            place.chat,
            place.user,
            thread
        );
        if statement.run(conn)? > 0 {
            removed.push(*place);
        }
    }
    Ok(removed)
}

/// A statement is a round trip on PostgreSQL.
fn remove_together(conn: &mut AnyConn, places: &[Place]) -> Result<Vec<Place>, StorageError> {
    let numbers = sql!(
        // Each subquery with LIMIT is a key lookup, whatever the planner's statistics say.
        "WITH found AS ( \
            SELECT d.ctid AS place, p.number FROM unnest(?, ?, ?) WITH ORDINALITY AS p (chat_id, user_id, thread, number) \
            CROSS JOIN LATERAL (SELECT ctid FROM drafts WHERE chat_id = p.chat_id AND user_id = p.user_id \
                AND thread = p.thread LIMIT 1) d \
         ), gone AS (DELETE FROM drafts WHERE ctid = ANY (ARRAY (SELECT place FROM found))) \
         SELECT number FROM found ORDER BY number",
        places.iter().map(|place| place.chat.0).collect::<Vec<_>>(),
        places.iter().map(|place| place.user.0).collect::<Vec<_>>(),
        places.iter().map(|place| key(place.thread)).collect::<Vec<_>>()
    )
    .rows::<i64>(conn)?;
    Ok(numbers.into_iter().filter_map(|number| places.get(number as usize - 1).copied()).collect())
}

/// Removes the drafts of a member who leaves. `chat`: as it is in this transaction.
pub fn clear_of(conn: &mut AnyConn, chat: &Chat, user: UserId) -> Result<(), StorageError> {
    if chat.draft_count == 0 {
        return Ok(());
    }
    let cleared = sql!("DELETE FROM drafts WHERE chat_id = ? AND user_id = ?", chat.id, user).run(conn)?;
    add_to_count(conn, chat.id, -(cleared as i64))
}

/// Gives a user the drafts of the guest who has become the user. Where the user has one already, that stays. Returns
/// those that the user has got.
pub fn hand_over(
    conn: &mut AnyConn,
    chat: &Chat,
    (guest, user): (UserId, UserId),
) -> Result<Vec<DraftChanged>, StorageError> {
    if chat.draft_count == 0 {
        return Ok(Vec::new());
    }
    let rows = sql!(
        "SELECT {} FROM drafts d WHERE d.chat_id = ? AND d.user_id = ? AND NOT EXISTS (SELECT 1 FROM drafts o \
            WHERE o.chat_id = d.chat_id AND o.user_id = ? AND o.thread = d.thread)",
        chat.id,
        guest,
        user
    );
    let drafts: Vec<Draft> = rows.rows::<DraftRow>(conn)?.into_iter().map(Draft::from).collect();
    clear_of(conn, chat, guest)?;
    let mut changes = Vec::with_capacity(drafts.len());
    for draft in drafts {
        insert(conn, user, &draft)?;
        changes.push(DraftChanged { user, chat: chat.id, thread: draft.thread, draft: Some(draft) });
    }
    Ok(changes)
}

fn add_to_count(conn: &mut AnyConn, chat: ChatId, step: i64) -> Result<(), StorageError> {
    if step != 0 {
        sql!("UPDATE chats SET draft_count = draft_count + ? WHERE id = ?", step, chat).run(conn)?;
    }
    Ok(())
}

/// Removes some rows of a deleted chat. Returns whether there were any.
pub(crate) fn clear_chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(delete_some!(conn, "drafts", "chat_id, user_id, thread", "chat_id = ?", chat)? > 0)
}
