//! Locks on PostgreSQL's rows. SQLite needs none: who writes there is alone.
//!
//! What a transaction decides holds because it has locked, before it looked, the row that all of it hangs on: the chat's
//! for everything in a chat, the user's for what a user may do. Everybody locks in one order, chats by id, then users
//! by id, then the count of profile changes, so nobody waits in a circle. Who blocks somebody locks first themselves and then the dm of the two, if there is one: no
//! command of a dm locks users. What has no row yet is kept single by a unique index: who comes second fails, is
//! tried again, and then finds what the first has made.

use std::collections::{BTreeSet, HashMap};

use super::rows::{self, chat_columns};
use crate::{
    core::model::{Chat, ChatId, MessageId, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Locks a chat until the transaction's end. Whether there is one to lock: what others are just making does not count.
pub fn chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(match conn {
        AnyConn::Sqlite(_) => true,
        AnyConn::Postgres(_) => {
            let row = sql!("SELECT id FROM chats WHERE id = ? FOR NO KEY UPDATE", chat);
            row.first::<(i64,)>(conn)?.is_some()
        }
    })
}

/// Locks a user until the transaction's end.
pub fn user(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    if let AnyConn::Postgres(_) = conn {
        sql!("SELECT id FROM users WHERE id = ? FOR NO KEY UPDATE", user).first::<(i64,)>(conn)?;
    }
    Ok(())
}

/// Locks users until the transaction's end, by id.
pub fn users(conn: &mut AnyConn, users: &[UserId]) -> Result<(), StorageError> {
    if let AnyConn::Postgres(_) = conn {
        let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
        sql!("SELECT id FROM users WHERE id = ANY(?) ORDER BY id FOR NO KEY UPDATE", ids)
            .rows::<(i64,)>(conn)?;
    }
    Ok(())
}

/// Locks all active staff until the transaction's end, by id: for what must leave one of them.
pub fn staff(conn: &mut AnyConn) -> Result<(), StorageError> {
    if let AnyConn::Postgres(_) = conn {
        sql!("SELECT id FROM users WHERE is_staff AND is_active ORDER BY id FOR NO KEY UPDATE")
            .rows::<(i64,)>(conn)?;
    }
    Ok(())
}

/// A deleted chat that nobody else clears out, locked until the transaction's end.
pub fn deleted_chat(conn: &mut AnyConn) -> Result<Option<ChatId>, StorageError> {
    let row = match conn {
        AnyConn::Sqlite(_) => sql!("SELECT id FROM chats WHERE deleted_at IS NOT NULL ORDER BY id LIMIT 1")
            .first::<(i64,)>(conn)?,
        AnyConn::Postgres(_) => sql!(
            "SELECT id FROM chats WHERE deleted_at IS NOT NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
        .first(conn)?,
    };
    Ok(row.map(|(id,)| ChatId(id)))
}

/// A deleted message of which reactions are left and nobody else clears out, locked until the transaction's end. Those of
/// deleted chats go with these.
pub fn reactions_left(conn: &mut AnyConn) -> Result<Option<(ChatId, MessageId)>, StorageError> {
    let row = match conn {
        AnyConn::Sqlite(_) => sql!(
            "SELECT l.chat_id, l.message_id FROM reactions_left l JOIN chats c ON c.id = l.chat_id \
             WHERE c.deleted_at IS NULL ORDER BY l.chat_id, l.message_id LIMIT 1"
        )
        .first::<(i64, i64)>(conn)?,
        AnyConn::Postgres(_) => sql!(
            "SELECT l.chat_id, l.message_id FROM reactions_left l JOIN chats c ON c.id = l.chat_id \
             WHERE c.deleted_at IS NULL ORDER BY l.chat_id, l.message_id LIMIT 1 FOR UPDATE OF l SKIP LOCKED"
        )
        .first(conn)?,
    };
    Ok(row.map(|(chat, message)| (ChatId(chat), MessageId(message))))
}

/// A user whose chats are to be handed over, with the last that was looked at; locked until the transaction's end.
/// `whose`: this one only; else one that nobody else looks at.
pub fn succession(
    conn: &mut AnyConn,
    whose: Option<UserId>,
) -> Result<Option<(UserId, ChatId)>, StorageError> {
    let row = match (&conn, whose) {
        (AnyConn::Sqlite(_), Some(user)) => {
            sql!("SELECT user_id, after_chat_id FROM successions WHERE user_id = ?", user)
                .first::<(i64, i64)>(conn)?
        }
        (AnyConn::Sqlite(_), None) => {
            sql!("SELECT user_id, after_chat_id FROM successions ORDER BY user_id LIMIT 1").first(conn)?
        }
        (_, Some(user)) => {
            sql!("SELECT user_id, after_chat_id FROM successions WHERE user_id = ? FOR UPDATE", user)
                .first(conn)?
        }
        (_, None) => sql!(
            "SELECT user_id, after_chat_id FROM successions ORDER BY user_id LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
        .first(conn)?,
    };
    Ok(row.map(|(user, chat)| (UserId(user), ChatId(chat))))
}

/// Names the lock of who keeps the search index among PostgreSQL's advisory locks.
const KEEPING: i64 = 0x6772_6565_6e03;

/// Whether this connection's process is the one that keeps the search index up, so that not every node does. It is for as
/// long as the connection lasts, which PostgreSQL ends where nothing is heard on it: a node may be paused, or cut off.
pub fn keeps_search_index(conn: &mut AnyConn) -> Result<bool, StorageError> {
    match conn {
        AnyConn::Sqlite(_) => Ok(true),
        AnyConn::Postgres(_) => {
            let lock = sql!(
                "SELECT pg_try_advisory_lock(?), set_config('idle_session_timeout', '30s', false)",
                KEEPING
            );
            Ok(lock.one::<(bool, String)>(conn)?.0)
        }
    }
}

/// Keeps others from making segments of the search index known, until the transaction's end. Who searches is not kept.
pub fn search_index(conn: &mut AnyConn) -> Result<(), StorageError> {
    if let AnyConn::Postgres(_) = conn {
        sql!("LOCK TABLE search_segments IN SHARE ROW EXCLUSIVE MODE").run(conn)?;
    }
    Ok(())
}

/// What becomes of rows that others have locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contested {
    /// As long as [`crate::storage::db::session`] allows.
    WaitedFor,
    LeftOut,
}

/// Locks chats until the transaction's end, and returns them as they are from now on; deleted ones are not there.
pub fn chats(
    conn: &mut AnyConn,
    ids: &BTreeSet<ChatId>,
    contested: Contested,
) -> Result<HashMap<ChatId, Chat>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = match (&conn, contested) {
        (AnyConn::Sqlite(_), _) => sql!(
            concat!("SELECT ", chat_columns!(), " FROM chats c WHERE c.id IN ? AND c.deleted_at IS NULL"),
            ids.as_slice()
        )
        .rows(conn)?,
        (_, Contested::WaitedFor) => sql!(
            concat!(
                "SELECT ",
                chat_columns!(),
                " FROM chats c WHERE c.id = ANY(?) AND c.deleted_at IS NULL ORDER BY c.id FOR NO KEY UPDATE"
            ),
            ids
        )
        .rows(conn)?,
        (_, Contested::LeftOut) => sql!(
            concat!(
                "SELECT ",
                chat_columns!(),
                " FROM chats c WHERE c.id = ANY(?) AND c.deleted_at IS NULL ORDER BY c.id ",
                "FOR NO KEY UPDATE SKIP LOCKED"
            ),
            ids
        )
        .rows(conn)?,
    };
    Ok(rows.into_iter().map(rows::chat).map(|chat| (chat.id, chat)).collect())
}
