//! Indexing what there is, all at once, where no server has to.

use super::{
    horizon::Horizon,
    indexer::{Finished, Indexer, Progress},
};
use crate::storage::{AnyConn, StorageError, snapshot, tables::locks, transaction};

/// Makes segments for as long as there are enough messages for one, unless a node does. `tell` hears of how many are
/// indexed so far.
pub fn catch_up(conn: &mut AnyConn, mut tell: impl FnMut(usize)) -> Result<(), StorageError> {
    if !locks::keeps_search_index(conn)? {
        return Ok(());
    }
    let (mut messages, mut horizon) = (0, Horizon::default());
    while let Some(segment) = next(conn, &mut horizon)? {
        let mut slot = Some(0);
        while let Some(begin) = slot {
            slot = transaction(conn, |conn| segment.store(conn, begin))?;
        }
        if transaction(conn, |conn| segment.make_known(conn))? {
            let mut change = Some(0);
            while let Some(begin) = change {
                change = transaction(conn, |conn| segment.forget_changes(conn, begin))?;
            }
            messages += segment.messages();
            tell(messages);
        }
    }
    Ok(())
}

fn next(conn: &mut AnyConn, horizon: &mut Horizon) -> Result<Option<Finished>, StorageError> {
    let settled = horizon.look(conn)?;
    let mut indexer = snapshot(conn, Indexer::begin)?;
    loop {
        match snapshot(conn, |conn| indexer.read(conn, settled))? {
            Progress::Full(segment) => return Ok(Some(segment)),
            Progress::More => {}
            Progress::End => return Ok(None),
        }
    }
}
