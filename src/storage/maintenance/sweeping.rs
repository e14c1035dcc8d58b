//! Deletes expired rows, and removes guests that have gone, in small steps that never block writers for long.

use crate::storage::{
    AnyConn, StorageError,
    commands::guests,
    tables::{event_cursors, revocations, sessions, tokens},
    writer::in_doubt,
};

/// Deletes a batch of expired rows, of one table where more may remain in it. Returns whether more may
/// remain.
pub fn step(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let kinds = [
        sessions::sweep,
        tokens::sweep,
        event_cursors::sweep,
        in_doubt::sweep,
        revocations::sweep,
        guests::remove_outdated,
    ];
    for sweep in kinds {
        if sweep(conn)? {
            return Ok(true);
        }
    }
    Ok(false)
}
