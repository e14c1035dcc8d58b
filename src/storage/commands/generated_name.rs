//! Usernames of users who have not chosen one.

use crate::{
    core::{
        model::{UserId, text::Username},
        secrets,
    },
    storage::{
        AnyConn, StorageError,
        tables::users::{self, User},
    },
};

/// Returns the username of a user until their id is known.
pub(super) fn temporary() -> Username {
    generated(&format!("u-{}", secrets::random_name::<16>()))
}

/// Renames a user to the prefix and the id, or if that is taken, to that with a random suffix.
pub(super) fn assign(conn: &mut AnyConn, user: &mut User, prefix: &str) -> Result<(), StorageError> {
    let name = free(conn, user.id(), prefix)?;
    users::rename(conn, user, &name)
}

fn free(conn: &mut AnyConn, user: UserId, prefix: &str) -> Result<Username, StorageError> {
    let name = generated(&format!("{prefix}{user}"));
    if !users::is_taken(conn, &name)? {
        return Ok(name);
    }
    Ok(generated(&format!("{prefix}{user}-{}", secrets::random_name::<8>())))
}

fn generated(name: &str) -> Username {
    Username::parse(name).expect("letters, digits and hyphens make a username")
}
