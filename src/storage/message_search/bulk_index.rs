//! Bulk indexing of all stored messages outside of a server.

use super::{
    horizon::Horizon,
    indexer::{Finished, Indexer, Progress},
};
use crate::storage::{AnyConn, StorageError, snapshot, tables::locks, transaction};

/// Builds segments as long as there are enough messages for one. Does nothing if a node holds the lock of the
/// index. Calls `on_progress` with the number of messages indexed so far.
pub fn catch_up(conn: &mut AnyConn, mut on_progress: impl FnMut(usize)) -> Result<(), StorageError> {
    if !locks::try_lock_search_index(conn)? {
        return Ok(());
    }
    let (mut messages, mut horizon) = (0, Horizon::default());
    while let Some(segment) = next(conn, &mut horizon)? {
        let mut slot = Some(0);
        while let Some(begin) = slot {
            slot = transaction(conn, |conn| segment.store(conn, begin))?;
        }
        if transaction(conn, |conn| segment.publish(conn))? {
            let mut change = Some(0);
            while let Some(begin) = change {
                change = transaction(conn, |conn| segment.delete_changes(conn, begin))?;
            }
            messages += segment.messages();
            on_progress(messages);
        }
    }
    Ok(())
}

fn next(conn: &mut AnyConn, horizon: &mut Horizon) -> Result<Option<Finished>, StorageError> {
    let settled = horizon.advance(conn)?;
    let mut indexer = snapshot(conn, Indexer::begin)?;
    loop {
        match snapshot(conn, |conn| indexer.read(conn, settled))? {
            Progress::Full(segment) => return Ok(Some(segment)),
            Progress::More => {}
            Progress::End => return Ok(None),
        }
    }
}
