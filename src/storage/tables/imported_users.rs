//! Users as an import sees them: with the id in the other application, and the password that was imported last.

use super::{
    external_users,
    users::{self, NewUser, User},
};
use crate::{
    core::model::UserId,
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// A user, and what is known from the other application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedUser {
    pub user: User,
    /// The user's id in the other application.
    pub external_id: Option<String>,
    /// SHA-256 of the password hash that was imported last. `None`: the password was not imported, or it was
    /// changed here since.
    pub password_digest: Option<String>,
}

/// Loads the user with an id of the other application.
pub fn by_external_id(conn: &mut AnyConn, external_id: &str) -> Result<Option<ImportedUser>, StorageError> {
    let Some(found) = external_users::find(conn, external_id)? else { return Ok(None) };
    users::find(conn, found.user_id)?.map(|user| with_import(conn, user)).transpose()
}

/// Loads the user with exactly this username.
pub fn by_username(conn: &mut AnyConn, username: &str) -> Result<Option<ImportedUser>, StorageError> {
    users::by_username(conn, username)?.map(|user| with_import(conn, user)).transpose()
}

fn with_import(conn: &mut AnyConn, user: User) -> Result<ImportedUser, StorageError> {
    let (external_id, password_digest) = sql!(
        "SELECT (SELECT external_id FROM external_users WHERE user_id = ?), \
         (SELECT digest FROM imported_passwords WHERE user_id = ?)",
        user.id(),
        user.id()
    )
    .one(conn)?;
    Ok(ImportedUser { user, external_id, password_digest })
}

/// Creates a user. Refuses a username that is taken, or that looks like one that is.
pub fn create(conn: &mut AnyConn, new: &NewUser, is_active: bool) -> Result<UserId, StorageError> {
    let mut user = users::create(conn, new)?;
    if !is_active {
        user.is_active = false;
        users::update(conn, &user)?;
    }
    Ok(user.id())
}

/// Stores the SHA-256 of the password hash that was imported.
pub fn note_password(conn: &mut AnyConn, user: UserId, digest: &str) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO imported_passwords (user_id, digest) VALUES (?, ?) \
         ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest",
        user,
        digest
    )
    .run(conn)?;
    Ok(())
}
