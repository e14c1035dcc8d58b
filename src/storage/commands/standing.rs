//! Changes of a user's standing that the command line makes. Each revokes credentials where needed, and notes
//! the change for the running servers.

use super::succession;
use crate::core::model::FieldErrors;
use crate::storage::{
    AnyConn, StorageError,
    tables::{
        revocations, sessions, tokens,
        users::{self, User},
    },
};

/// Deactivates a user, whose row and staff are locked; ends all sessions and tokens.
/// [`succession::step`] then hands over the chats.
pub fn deactivate(conn: &mut AnyConn, user: &mut User) -> Result<(), StorageError> {
    succession::change_standing(conn, user, false)?;
    sessions::end_all(conn, user.id(), None)?;
    tokens::revoke_all(conn, user.id())?;
    revocations::record_cli_change(conn, user.id(), revocations::DEACTIVATED)
}

/// Activates a user, whose row and staff are locked.
pub fn activate(conn: &mut AnyConn, user: &mut User) -> Result<(), StorageError> {
    succession::change_standing(conn, user, true)?;
    revocations::record_cli_change(conn, user.id(), revocations::ACTIVATED)
}

/// Makes a user staff, or ends that. The user's row and staff are locked.
pub fn set_staff(conn: &mut AnyConn, user: &mut User, is_staff: bool) -> Result<(), StorageError> {
    if is_staff && user.is_guest {
        return Err(FieldErrors::of("is_staff", "A guest cannot be staff.").into());
    }
    user.is_staff = is_staff;
    users::update(conn, user)?;
    let deed = if is_staff { "made a user staff" } else { "ended that a user is staff" };
    revocations::record_cli_change(conn, user.id(), deed)
}

/// Replaces a user's password hash; ends all sessions.
pub fn set_password(conn: &mut AnyConn, user: &mut User, hash: &str) -> Result<(), StorageError> {
    hash.clone_into(&mut user.password);
    users::update(conn, user)?;
    sessions::end_all(conn, user.id(), None)?;
    revocations::record_cli_change(conn, user.id(), "set a password")
}
