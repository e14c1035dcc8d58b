//! Tables of the search index: segments, and their postings by slot.

use std::{collections::HashMap, ops::Range};

use crate::storage::{
    AnyConn, StorageError,
    db::{row::row, sql::sql},
};

row! {
    /// The row of a segment.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct SegmentRow from search_segments s {
        id: i64,
        /// The first and last message id that the segment covers.
        first_id: i64,
        last_id: i64,
        /// Size of the texts in bytes.
        size: i64,
    }
}

/// The slot with the postings by chat.
pub(super) const CHATS: i64 = -1;

/// Returns the last message id of all segments; 0 where there are none.
pub fn last_id(conn: &mut AnyConn) -> Result<i64, StorageError> {
    let last = sql!("SELECT coalesce(max(last_id), 0) FROM search_segments").one::<i64>(conn)?;
    Ok(last)
}

/// Returns the last message id of the segment before an id; 0 where there is none.
pub(super) fn last_before(conn: &mut AnyConn, id: i64) -> Result<i64, StorageError> {
    let last = sql!("SELECT coalesce(max(last_id), 0) FROM search_segments WHERE last_id < ?", id);
    Ok(last.one::<i64>(conn)?)
}

/// Returns the segments that overlap a range of ids, the newest first.
pub(super) fn with_messages(conn: &mut AnyConn, ids: Range<i64>) -> Result<Vec<SegmentRow>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM search_segments s WHERE s.last_id >= ? AND s.first_id < ? ORDER BY s.last_id DESC",
        ids.start,
        ids.end
    );
    Ok(rows.rows(conn)?)
}

/// Returns the postings of some segments in some slots, by segment and slot.
pub(super) fn postings(
    conn: &mut AnyConn,
    segments: &[i64],
    slots: &[i64],
) -> Result<HashMap<(i64, i64), Vec<u8>>, StorageError> {
    let rows = match conn {
        AnyConn::Sqlite(_) => sql!(
            "SELECT segment, slot, postings FROM search_postings WHERE segment IN ? AND slot IN ?",
            segments,
            slots
        )
        .rows::<(i64, i64, Vec<u8>)>(conn)?,
        // PostgreSQL looks up arrays in the index, regardless of how many elements the planner expects.
        AnyConn::Postgres(_) => sql!(
            "SELECT segment, slot, postings FROM search_postings \
             WHERE segment = ANY (ARRAY ?) AND slot = ANY (ARRAY ?)",
            segments,
            slots
        )
        .rows(conn)?,
    };
    Ok(rows.into_iter().map(|(segment, slot, postings)| ((segment, slot), postings)).collect())
}

/// Inserts postings of a segment.
pub(super) fn insert_postings(
    conn: &mut AnyConn,
    segment: i64,
    slots: &[(i64, Vec<u8>)],
) -> Result<(), StorageError> {
    // In one statement: the postings are concatenated. One integer per slot packs the slot number, the offset
    // and the length. Slot numbers start at -1.
    let (mut contents, mut places) = (Vec::new(), Vec::new());
    for (slot, postings) in slots {
        places.push((slot - CHATS) << 48 | (contents.len() as i64) << 24 | postings.len() as i64);
        contents.extend_from_slice(postings);
    }
    sql!(
        "INSERT INTO search_postings (segment, slot, postings) SELECT ?, (value >> 48) - 1, \
         substr(?, CAST((value >> 24) & 16777215 AS INTEGER) + 1, CAST(value & 16777215 AS INTEGER)) \
         FROM ? AS places",
        segment,
        Some(contents.as_slice()),
        places.as_slice()
    )
    .run(conn)?;
    Ok(())
}

/// Returns the number of stored slots of a segment.
pub(super) fn count_postings(conn: &mut AnyConn, segment: i64) -> Result<i64, StorageError> {
    Ok(sql!("SELECT count(*) FROM search_postings WHERE segment = ?", segment).one::<i64>(conn)?)
}

/// Deletes up to `most` slots of a segment. Returns whether there may be more.
pub(super) fn delete_postings(conn: &mut AnyConn, segment: i64, most: i64) -> Result<bool, StorageError> {
    let deleted = sql!(
        "DELETE FROM search_postings WHERE segment = ? AND slot IN \
         (SELECT slot FROM search_postings WHERE segment = ? LIMIT ?)",
        segment,
        segment,
        most
    )
    .run(conn)?;
    Ok(deleted as i64 == most)
}

/// Returns the segments that have slots but no row.
pub fn orphaned_segments(conn: &mut AnyConn) -> Result<Vec<i64>, StorageError> {
    // Skips from one segment to the next, instead of reading all their slots.
    let rows = sql!(
        "WITH RECURSIVE stored (id) AS (SELECT min(segment) FROM search_postings UNION ALL \
            SELECT (SELECT min(segment) FROM search_postings WHERE segment > stored.id) FROM stored \
            WHERE stored.id IS NOT NULL) \
         SELECT id FROM stored WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM search_segments)"
    );
    Ok(rows.rows::<i64>(conn)?)
}

/// Inserts the row of a segment, which publishes it.
pub(super) fn insert(conn: &mut AnyConn, row: SegmentRow) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO search_segments (id, first_id, last_id, size) VALUES (?, ?, ?, ?)",
        row.id,
        row.first_id,
        row.last_id,
        row.size
    )
    .run(conn)?;
    Ok(())
}

/// Returns how many of these segments exist.
pub(super) fn count(conn: &mut AnyConn, segments: &[i64]) -> Result<usize, StorageError> {
    let count = sql!("SELECT count(*) FROM search_segments WHERE id IN ?", segments).one::<i64>(conn)?;
    Ok(count as usize)
}

/// Deletes the rows of segments; their postings stay.
pub(super) fn delete(conn: &mut AnyConn, segments: &[i64]) -> Result<(), StorageError> {
    sql!("DELETE FROM search_segments WHERE id IN ?", segments).run(conn)?;
    Ok(())
}
