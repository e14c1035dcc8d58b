//! Pessimistic row locks (PostgreSQL). SQLite needs none, since it has a single writer.
//!
//! A transaction locks the row that its decision depends on before it reads it. That is the chat's row for
//! everything in a chat, and the user's row for what a user may do.
//!
//! The lock order prevents deadlocks: chats by id, then users by id, then the counter of profile changes. The
//! one exception is blocking a user, which locks the blocker and then the dm of the two. It is safe because
//! no command in a dm locks users.
//!
//! A row that does not exist yet cannot be locked; a unique index keeps it single. The second transaction
//! fails, is retried, and then finds the row of the first.

use std::collections::{BTreeSet, HashMap};

use super::rows::ChatRow;
use crate::{
    core::model::{Chat, ChatId, MessageId, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Locks a chat until the transaction ends. Returns whether it exists; a chat that is not committed yet does
/// not.
pub fn chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    Ok(match conn {
        AnyConn::Sqlite(_) => true,
        AnyConn::Postgres(_) => {
            let row = sql!("SELECT id FROM chats WHERE id = ? FOR NO KEY UPDATE", chat);
            row.first::<i64>(conn)?.is_some()
        }
    })
}

/// Locks a user until the transaction ends.
pub fn user(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    if let AnyConn::Postgres(_) = conn {
        sql!("SELECT id FROM users WHERE id = ? FOR NO KEY UPDATE", user).first::<i64>(conn)?;
    }
    Ok(())
}

/// Locks users, by id, until the transaction ends.
pub fn users(conn: &mut AnyConn, users: &[UserId]) -> Result<(), StorageError> {
    if let AnyConn::Postgres(_) = conn {
        let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
        sql!("SELECT id FROM users WHERE id = ANY(?) ORDER BY id FOR NO KEY UPDATE", ids)
            .rows::<i64>(conn)?;
    }
    Ok(())
}

/// Locks all active staff, by id, until the transaction ends. For changes that must leave one of them active.
pub fn staff(conn: &mut AnyConn) -> Result<(), StorageError> {
    if let AnyConn::Postgres(_) = conn {
        sql!("SELECT id FROM users WHERE is_staff AND is_active ORDER BY id FOR NO KEY UPDATE")
            .rows::<i64>(conn)?;
    }
    Ok(())
}

/// Finds a deleted chat to purge and locks it until the transaction ends. Skips chats that others are
/// purging.
pub fn deleted_chat(conn: &mut AnyConn) -> Result<Option<ChatId>, StorageError> {
    Ok(match conn {
        AnyConn::Sqlite(_) => {
            sql!("SELECT id FROM chats WHERE deleted_at IS NOT NULL ORDER BY id LIMIT 1").first(conn)?
        }
        AnyConn::Postgres(_) => sql!(
            "SELECT id FROM chats WHERE deleted_at IS NOT NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
        .first(conn)?,
    })
}

/// Finds a deleted message with reactions left to purge and locks its entry until the transaction ends. Skips
/// entries that others are purging. Leaves out deleted chats, whose purge removes their reactions.
pub fn reactions_left(conn: &mut AnyConn) -> Result<Option<(ChatId, MessageId)>, StorageError> {
    Ok(match conn {
        AnyConn::Sqlite(_) => sql!(
            "SELECT l.chat_id, l.message_id FROM reactions_left l JOIN chats c ON c.id = l.chat_id \
             WHERE c.deleted_at IS NULL ORDER BY l.chat_id, l.message_id LIMIT 1"
        )
        .first(conn)?,
        AnyConn::Postgres(_) => sql!(
            "SELECT l.chat_id, l.message_id FROM reactions_left l JOIN chats c ON c.id = l.chat_id \
             WHERE c.deleted_at IS NULL ORDER BY l.chat_id, l.message_id LIMIT 1 FOR UPDATE OF l SKIP LOCKED"
        )
        .first(conn)?,
    })
}

/// Finds a user whose chats are to be handed over, with the last chat checked. Locks the entry until the
/// transaction ends. `whose`: only this user, waiting for the lock; else any user that no other transaction
/// has locked.
pub fn succession(
    conn: &mut AnyConn,
    whose: Option<UserId>,
) -> Result<Option<(UserId, ChatId)>, StorageError> {
    Ok(match (&conn, whose) {
        (AnyConn::Sqlite(_), Some(user)) => {
            sql!("SELECT user_id, after_chat_id FROM successions WHERE user_id = ?", user).first(conn)?
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
    })
}

/// Key of PostgreSQL's advisory lock of the process that maintains the search index.
const SEARCH_INDEX_LOCK: i64 = 0x6772_6565_6e03;

/// Takes the lock of the one process that maintains the search index. Returns whether this connection has it.
/// The lock lasts as long as the connection. PostgreSQL closes the connection after 30 s without a statement,
/// since its node may be paused or cut off.
pub fn try_lock_search_index(conn: &mut AnyConn) -> Result<bool, StorageError> {
    match conn {
        AnyConn::Sqlite(_) => Ok(true),
        AnyConn::Postgres(_) => {
            let lock = sql!(
                "SELECT pg_try_advisory_lock(?), set_config('idle_session_timeout', '30s', false)",
                SEARCH_INDEX_LOCK
            );
            Ok(lock.one::<(bool, String)>(conn)?.0)
        }
    }
}

/// Keeps others from publishing segments of the search index until the transaction ends. Searches are not
/// blocked.
pub fn search_index(conn: &mut AnyConn) -> Result<(), StorageError> {
    if let AnyConn::Postgres(_) = conn {
        sql!("LOCK TABLE search_segments IN SHARE ROW EXCLUSIVE MODE").run(conn)?;
    }
    Ok(())
}

/// How to treat rows that other transactions have locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockedRows {
    /// Wait for them, up to the lock timeout of [`crate::storage::db::session`].
    Wait,
    /// Leave them out.
    SkipLocked,
}

/// Locks chats until the transaction ends and loads them. Leaves out deleted chats.
pub fn chats(
    conn: &mut AnyConn,
    ids: &BTreeSet<ChatId>,
    locked_rows: LockedRows,
) -> Result<HashMap<ChatId, Chat>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = match (&conn, locked_rows) {
        (AnyConn::Sqlite(_), _) => {
            sql!("SELECT {} FROM chats c WHERE c.id IN ? AND c.deleted_at IS NULL", ids.as_slice())
                .rows::<ChatRow>(conn)?
        }
        (_, LockedRows::Wait) => sql!(
            "SELECT {} FROM chats c WHERE c.id = ANY(?) AND c.deleted_at IS NULL ORDER BY c.id FOR NO KEY UPDATE",
            ids
        )
        .rows(conn)?,
        (_, LockedRows::SkipLocked) => sql!(
            "SELECT {} FROM chats c WHERE c.id = ANY(?) AND c.deleted_at IS NULL ORDER BY c.id \
             FOR NO KEY UPDATE SKIP LOCKED",
            ids
        )
        .rows(conn)?,
    };
    Ok(rows.into_iter().map(|row| (row.id, Chat::from(row))).collect())
}
