//! Deleting outdated rows in small steps, so that no writer waits for long.

use crate::storage::{
    AnyConn, StorageError,
    tables::{event_cursors, revocations, sessions, tokens},
    writer::in_doubt,
};

/// Deletes some outdated rows, of one kind where there may be more of it. Returns whether there may be more.
pub fn step(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let kinds = [sessions::sweep, tokens::sweep, event_cursors::sweep, in_doubt::sweep, revocations::sweep];
    for sweep in kinds {
        if sweep(conn)? {
            return Ok(true);
        }
    }
    Ok(false)
}
