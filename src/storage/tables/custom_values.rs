//! The texts, numbers and booleans in the custom data of chats and users, by which requests filter.
//!
//! A value may be longer than a key of an index. So a digest of it is stored, which is compared instead.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{
    core::model::{ChatId, Custom, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// A condition of a request: the object has this value under this name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustomFilter {
    pub name: String,
    pub digest: String,
}

impl CustomFilter {
    /// Creates a condition. `value`: the value as text.
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), digest: digest(value) }
    }
}

/// Returns the first 128 bits of the SHA-256 of a value.
fn digest(value: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(value.as_bytes())[..16])
}

/// Returns the names that have no value any more, and the values that are new or different.
fn differences(before: &Custom, after: &Custom) -> (Vec<String>, Vec<(String, String)>) {
    let before: BTreeMap<String, String> = before.values().into_iter().collect();
    let after: BTreeMap<String, String> = after.values().into_iter().collect();
    let outdated = before.keys().filter(|name| !after.contains_key(*name)).cloned().collect();
    let is_new = |(name, value): &(String, String)| before.get(name) != Some(value);
    (outdated, after.into_iter().filter(is_new).collect())
}

/// Stores the values of a chat whose custom data has changed.
pub(super) fn update_of_chat(
    conn: &mut AnyConn,
    chat: ChatId,
    before: &Custom,
    after: &Custom,
) -> Result<(), StorageError> {
    let (outdated, new) = differences(before, after);
    for name in &outdated {
        sql!("DELETE FROM chat_custom_values WHERE chat_id = ? AND name = ?", chat, name).run(conn)?;
    }
    for (name, value) in &new {
        let digest = digest(value);
        sql!(
            "INSERT INTO chat_custom_values (chat_id, name, digest) VALUES (?, ?, ?) \
             ON CONFLICT (chat_id, name) DO UPDATE SET digest = excluded.digest",
            chat,
            name,
            &digest
        )
        .run(conn)?;
    }
    Ok(())
}

/// Removes the values of a chat: at most as many as custom data has names.
pub fn clear_of_chat(conn: &mut AnyConn, chat: ChatId) -> Result<(), StorageError> {
    sql!("DELETE FROM chat_custom_values WHERE chat_id = ?", chat).run(conn)?;
    Ok(())
}

/// Returns those of these chats that meet a condition, by id. A user's chats are few, but a value may be that of all
/// chats: so each chat is looked up.
pub fn matching_chats(
    conn: &mut AnyConn,
    chats: &[i64],
    filter: &CustomFilter,
) -> Result<Vec<i64>, StorageError> {
    let rows = sql!(
        "SELECT chat_id FROM chat_custom_values WHERE chat_id IN ? AND name = ? AND digest = ? ORDER BY chat_id",
        chats,
        &filter.name,
        &filter.digest
    );
    Ok(rows.rows(conn)?)
}

/// Stores the values of a user whose custom data has changed.
pub(super) fn update_of_user(
    conn: &mut AnyConn,
    user: UserId,
    before: &Custom,
    after: &Custom,
) -> Result<(), StorageError> {
    let (outdated, new) = differences(before, after);
    for name in &outdated {
        sql!("DELETE FROM user_custom_values WHERE user_id = ? AND name = ?", user, name).run(conn)?;
    }
    for (name, value) in &new {
        let digest = digest(value);
        sql!(
            "INSERT INTO user_custom_values (user_id, name, digest) VALUES (?, ?, ?) \
             ON CONFLICT (user_id, name) DO UPDATE SET digest = excluded.digest",
            user,
            name,
            &digest
        )
        .run(conn)?;
    }
    Ok(())
}

/// Counts the users that meet a condition.
pub fn count_users(conn: &mut AnyConn, filter: &CustomFilter) -> Result<i64, StorageError> {
    let row = sql!(
        "SELECT count(*) FROM user_custom_values WHERE name = ? AND digest = ?",
        &filter.name,
        &filter.digest
    );
    Ok(row.one(conn)?)
}

/// Returns some of the users that meet a condition, by id.
pub fn find_users(
    conn: &mut AnyConn,
    filter: &CustomFilter,
    skip: i64,
    size: i64,
) -> Result<Vec<UserId>, StorageError> {
    let rows = sql!(
        "SELECT user_id FROM user_custom_values WHERE name = ? AND digest = ? ORDER BY user_id LIMIT ? OFFSET ?",
        &filter.name,
        &filter.digest,
        size,
        skip
    );
    Ok(rows.rows(conn)?)
}

/// Returns those of these users that meet a condition, by id.
pub fn matching_users(
    conn: &mut AnyConn,
    users: &[i64],
    filter: &CustomFilter,
) -> Result<Vec<UserId>, StorageError> {
    let rows = sql!(
        // The concatenation keeps PostgreSQL from reading all users that have the value.
        "SELECT user_id FROM user_custom_values WHERE user_id IN ? AND name = ? AND digest || '' = ? ORDER BY user_id",
        users,
        &filter.name,
        &filter.digest
    );
    Ok(rows.rows(conn)?)
}
