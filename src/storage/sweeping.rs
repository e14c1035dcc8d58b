//! Deleting outdated rows in small steps, so that no writer waits for long.

use super::{AnyConn, StorageError, commits, cursors, revocations, sessions, tokens};

/// Most rows of a kind that one step deletes.
pub(super) const STEP: i64 = 500;

/// Deletes some outdated rows of each kind. Returns whether there may be more.
pub fn step(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let mut is_more = sessions::sweep(conn)?;
    is_more |= tokens::sweep(conn)?;
    is_more |= cursors::sweep(conn)?;
    is_more |= commits::sweep(conn)?;
    is_more |= revocations::sweep(conn)?;
    Ok(is_more)
}
