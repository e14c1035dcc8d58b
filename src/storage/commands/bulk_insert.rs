//! Bulk insert of messages that are posted in one transaction.
//!
//! On PostgreSQL a statement is a round trip, so one statement stores them all. On SQLite a statement is a
//! function call, so there are many small ones, each with one or two key lookups.

use crate::{
    core::model::{Chat, ChatId, MessageId, Pos, Role, UserId},
    storage::{
        AnyConn, StorageError,
        db::sql::sql,
        tables::{
            chats,
            messages::{self, NewMessage, Posted},
            sent_counts,
        },
    },
};

/// The sender of a post, with its chat and its client id, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Poster<'a> {
    pub chat: ChatId,
    pub user: UserId,
    pub client_id: Option<&'a str>,
}

/// What is stored about a sender and a chat before the post.
pub struct SenderState {
    /// `None` if the user is not in the chat.
    pub role: Option<Role>,
    /// Whether the chat is a dm and its other member has blocked the user.
    pub is_blocked: bool,
    /// The message already posted under the same client id.
    pub earlier: Option<Posted>,
}

/// Loads what is stored about each sender and its chat, in the given order. `are_dms`: whether each chat is a
/// dm.
pub fn sender_states(
    conn: &mut AnyConn,
    posters: &[Poster],
    are_dms: &[bool],
) -> Result<Vec<SenderState>, StorageError> {
    match conn {
        AnyConn::Sqlite(_) => {
            let posters = posters.iter().zip(are_dms);
            posters.map(|(poster, is_dm)| standing(conn, poster, *is_dm)).collect()
        }
        AnyConn::Postgres(_) => all_sender_states(conn, posters, are_dms),
    }
}

type StandingRow = (Option<Role>, bool, Option<Pos>, Option<Vec<u8>>);

impl From<StandingRow> for SenderState {
    fn from((role, is_blocked, pos, content_hash): StandingRow) -> Self {
        Self { role, is_blocked, earlier: pos.map(|pos| Posted { pos, content_hash }) }
    }
}

fn standing(conn: &mut AnyConn, poster: &Poster, is_dm: bool) -> Result<SenderState, StorageError> {
    let Poster { chat, user, client_id } = *poster;
    let (role, is_blocked) = sql!(
        "SELECT (SELECT role FROM members WHERE chat_id = ? AND user_id = ? AND left_seq IS NULL), \
         CASE WHEN ? THEN EXISTS (SELECT 1 FROM members o JOIN blocks b \
            ON b.blocker_id = o.user_id AND b.blocked_id = ? WHERE o.chat_id = ?) ELSE FALSE END",
        chat,
        user,
        is_dm,
        user,
        chat
    )
    .one(conn)?;
    let earlier = match client_id {
        Some(client_id) => messages::by_client_id(conn, chat, user, client_id)?,
        None => None,
    };
    Ok(SenderState { earlier, ..SenderState::from((role, is_blocked, None, None)) })
}

fn all_sender_states(
    conn: &mut AnyConn,
    posters: &[Poster],
    are_dms: &[bool],
) -> Result<Vec<SenderState>, StorageError> {
    let rows = sql!(
        // Each subquery is a key lookup, whatever the planner's statistics say.
        "SELECT (SELECT role FROM members m \
            WHERE m.chat_id = p.chat_id AND m.user_id = p.user_id AND m.left_seq IS NULL), \
         CASE WHEN p.is_dm = 1 THEN EXISTS (SELECT 1 FROM members o JOIN blocks b \
            ON b.blocker_id = o.user_id AND b.blocked_id = p.user_id WHERE o.chat_id = p.chat_id) ELSE FALSE END, \
         e.pos, e.content_hash \
         FROM unnest(?, ?, ?, ?) WITH ORDINALITY AS p (chat_id, user_id, client_id, is_dm, number) \
         LEFT JOIN LATERAL (SELECT pos, content_hash FROM messages \
            WHERE chat_id = p.chat_id AND sender_id = p.user_id AND client_id = p.client_id LIMIT 1) e ON TRUE \
         ORDER BY p.number",
        ids(posters.iter().map(|poster| poster.chat.0)),
        ids(posters.iter().map(|poster| poster.user.0)),
        posters.iter().map(|poster| poster.client_id).collect::<Vec<_>>(),
        ids(are_dms.iter().map(|is_dm| i64::from(*is_dm)))
    )
    .rows::<StandingRow>(conn)?;
    Ok(rows.into_iter().map(SenderState::from).collect())
}

/// Stores messages, and the chats that they changed. Returns the ids, which rise in the given order.
pub fn store(
    conn: &mut AnyConn,
    new: &[NewMessage],
    chats: &[&Chat],
) -> Result<Vec<MessageId>, StorageError> {
    let stored = match conn {
        AnyConn::Sqlite(_) => store_each(conn, new, chats),
        AnyConn::Postgres(_) => store_all(conn, new, chats),
    }?;
    sent_counts::record(conn, new.iter().map(|new| (new.message.chat, new.message.pos)))?;
    Ok(stored)
}

/// Assigns the ids itself: SQLite has a single writer, and `RETURNING` costs a temporary table for each
/// statement.
fn store_each(
    conn: &mut AnyConn,
    new: &[NewMessage],
    chats: &[&Chat],
) -> Result<Vec<MessageId>, StorageError> {
    let drawn = sql!("SELECT seq FROM sqlite_sequence WHERE name = 'message_ids'").first::<i64>(conn)?;
    let ids = drawn.unwrap_or(0) + 1..;
    let mut stored = Vec::with_capacity(new.len());
    for (new, id) in new.iter().zip(ids) {
        messages::insert(conn, MessageId(id), new)?;
        stored.push(MessageId(id));
    }
    chats.iter().try_for_each(|chat| chats::update(conn, chat))?;
    Ok(stored)
}

fn store_all(
    conn: &mut AnyConn,
    new: &[NewMessage],
    chats: &[&Chat],
) -> Result<Vec<MessageId>, StorageError> {
    let messages = || new.iter().map(|new| &new.message);
    let stored = sql!(
        "WITH new AS ( \
            SELECT nextval('message_ids_id_seq') AS id, n.* FROM unnest(?, ?, ?, ?, ?, ?, ?, ?) WITH ORDINALITY \
            AS n (chat_id, pos, sender_id, content, created_at, seq, client_id, content_hash, number) \
         ), placed AS ( \
            INSERT INTO message_ids (id, chat_id, pos) SELECT id, chat_id, pos FROM new \
         ), stored AS ( \
            INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, \
            is_deleted, created_seq, seq, client_id, content_hash, reactions) \
            SELECT chat_id, pos, id, sender_id, content, created_at, created_at, FALSE, \
            FALSE, seq, seq, client_id, content_hash, '[]' FROM new \
         ), moved AS ( \
            UPDATE chats c SET updated_at = n.updated_at, seq = n.seq, last_pos = n.pos, last_live_pos = n.pos \
            FROM unnest(?, ?, ?, ?) AS n (id, updated_at, seq, pos) WHERE c.id = n.id \
         ) SELECT id FROM new ORDER BY number",
        ids(messages().map(|message| message.chat.0)),
        ids(messages().map(|message| message.pos)),
        ids(messages().map(|message| message.sender.id.0)),
        messages().map(|message| Some(message.content.as_str())).collect::<Vec<_>>(),
        ids(messages().map(|message| message.created_at.0)),
        ids(messages().map(|message| message.seq)),
        messages().map(|message| message.client_id.as_deref()).collect::<Vec<_>>(),
        new.iter().map(|new| new.content_hash.as_deref()).collect::<Vec<_>>(),
        ids(chats.iter().map(|chat| chat.id.0)),
        ids(chats.iter().map(|chat| chat.updated_at.0)),
        ids(chats.iter().map(|chat| chat.seq)),
        ids(chats.iter().map(|chat| chat.last_pos))
    )
    .rows::<MessageId>(conn)?;
    Ok(stored)
}

fn ids(values: impl Iterator<Item = i64>) -> Vec<i64> {
    values.collect()
}
