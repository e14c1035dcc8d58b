//! Pending changes: messages edited or deleted since their segment was built. Triggers record them.

use std::ops::Range;

use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// Returns the pending changes of messages in a range of ids.
pub(super) fn of(conn: &mut AnyConn, ids: Range<i64>) -> Result<Vec<i64>, StorageError> {
    let rows =
        sql!("SELECT id FROM search_changes WHERE message_id >= ? AND message_id < ?", ids.start, ids.end);
    Ok(rows.rows::<i64>(conn)?)
}

/// Returns messages in a range of ids that were edited, and may contain words that their segment lacks.
pub(super) fn edited(conn: &mut AnyConn, ids: Range<i64>) -> Result<Vec<i64>, StorageError> {
    let rows = sql!(
        "SELECT DISTINCT message_id FROM search_changes WHERE message_id >= ? AND message_id < ? AND is_edit",
        ids.start,
        ids.end
    );
    Ok(rows.rows::<i64>(conn)?)
}

/// Deletes pending changes.
pub(super) fn delete(conn: &mut AnyConn, changes: &[i64]) -> Result<(), StorageError> {
    sql!("DELETE FROM search_changes WHERE id IN ?", changes).run(conn)?;
    Ok(())
}

/// Most pending changes that are counted to find the segment with the most.
const COUNTED: i64 = 10_000;

/// The segment with the most pending changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed {
    /// The last message id of the segment.
    pub last_id: i64,
    /// The number of pending changes of this segment, and of all segments.
    pub here: i64,
    pub everywhere: i64,
}

/// Returns the segment with the most pending changes.
pub(super) fn most(conn: &mut AnyConn) -> Result<Option<Changed>, StorageError> {
    let rows = sql!(
        "SELECT last_id, count(*) FROM ( \
            SELECT (SELECT min(s.last_id) FROM search_segments s WHERE s.last_id >= c.message_id) AS last_id \
            FROM (SELECT message_id FROM search_changes ORDER BY message_id LIMIT ?) AS c) AS changed \
         WHERE last_id IS NOT NULL GROUP BY last_id",
        COUNTED
    );
    let rows = rows.rows::<(i64, i64)>(conn)?;
    let everywhere = rows.iter().map(|(_, count)| count).sum();
    let most = rows.into_iter().max_by_key(|(_, count)| *count);
    Ok(most.map(|(last_id, here)| Changed { last_id, here, everywhere }))
}
