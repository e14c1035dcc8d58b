//! The custom data of users, in a table of its own: few users have any.

use std::collections::HashMap;

use super::custom_values;
use crate::{
    core::model::{Custom, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Loads the custom data of a user.
pub fn find(conn: &mut AnyConn, user: UserId) -> Result<Custom, StorageError> {
    let row = sql!("SELECT custom FROM user_custom WHERE user_id = ?", user).first::<String>(conn)?;
    Ok(Custom::from_stored(row))
}

/// Loads the custom data of those of these users that have any.
pub fn of_users(conn: &mut AnyConn, users: &[UserId]) -> Result<HashMap<UserId, Custom>, StorageError> {
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let rows = sql!("SELECT user_id, custom FROM user_custom WHERE user_id IN ?", ids.as_slice());
    let rows = rows.rows::<(UserId, String)>(conn)?;
    Ok(rows.into_iter().map(|(user, json)| (user, Custom::from_stored(Some(json)))).collect())
}

/// Stores the custom data of a user. The caller has locked the user.
pub fn set(conn: &mut AnyConn, user: UserId, custom: &Custom) -> Result<(), StorageError> {
    let before = find(conn, user)?;
    sql!("DELETE FROM user_custom WHERE user_id = ?", user).run(conn)?;
    if let Some(json) = custom.stored() {
        sql!("INSERT INTO user_custom (user_id, custom) VALUES (?, ?)", user, json).run(conn)?;
    }
    custom_values::update_of_user(conn, user, &before, custom)
}
