//! Deleting outdated rows in small steps, so that no writer waits for long.

use super::{AnyConn, StorageError, commits, cursors, revocations, sessions, tokens};

/// Deletes some outdated rows, of one kind where there may be more of it. Returns whether there may be more.
pub fn step(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let kinds = [sessions::sweep, tokens::sweep, cursors::sweep, commits::sweep, revocations::sweep];
    for sweep in kinds {
        if sweep(conn)? {
            return Ok(true);
        }
    }
    Ok(false)
}
