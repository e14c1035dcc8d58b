//! The tables of the index: segments, the postings in their slots, and changes that they have not taken in.

use std::{collections::HashMap, ops::Range};

use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// A segment's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub id: i64,
    /// The first message that it can have, and the last one.
    pub first_id: i64,
    pub last_id: i64,
    /// Bytes of text.
    pub size: i64,
}

/// The slot in which the chats of a segment's messages are.
pub const CHATS: i64 = -1;

/// The id of the last message that a segment has; 0 where there is none.
pub fn last_id(conn: &mut AnyConn) -> Result<i64, StorageError> {
    let (last,) = sql!("SELECT coalesce(max(last_id), 0) FROM search_segments").one::<(i64,)>(conn)?;
    Ok(last)
}

/// The last message of the segment before an id; 0 where there is none.
pub fn last_before(conn: &mut AnyConn, id: i64) -> Result<i64, StorageError> {
    let last = sql!("SELECT coalesce(max(last_id), 0) FROM search_segments WHERE last_id < ?", id);
    Ok(last.one::<(i64,)>(conn)?.0)
}

/// The segments that can have messages with some ids, the newest first.
pub fn with_messages(conn: &mut AnyConn, ids: Range<i64>) -> Result<Vec<Row>, StorageError> {
    let rows = sql!(
        "SELECT id, first_id, last_id, size FROM search_segments WHERE last_id >= ? AND first_id < ? \
         ORDER BY last_id DESC",
        ids.start,
        ids.end
    );
    let row = |(id, first_id, last_id, size)| Row { id, first_id, last_id, size };
    Ok(rows.rows(conn)?.into_iter().map(row).collect())
}

/// What some segments have in some slots.
pub fn postings(
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
        // As arrays they are looked up in the index, however many the planner takes them for.
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

/// Stores what a segment has in some slots.
pub fn insert_postings(
    conn: &mut AnyConn,
    segment: i64,
    slots: &[(i64, Vec<u8>)],
) -> Result<(), StorageError> {
    // All in one statement: what is in them one after the other, and for each its slot, where it begins and how long it
    // is, in one integer. The slots are counted from -1 on.
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

/// How many slots of a segment are stored.
pub fn count_postings(conn: &mut AnyConn, segment: i64) -> Result<i64, StorageError> {
    Ok(sql!("SELECT count(*) FROM search_postings WHERE segment = ?", segment).one::<(i64,)>(conn)?.0)
}

/// Deletes some slots of a segment. Returns whether there may be more.
pub fn delete_postings(conn: &mut AnyConn, segment: i64, most: i64) -> Result<bool, StorageError> {
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

/// Segments of which there are slots, but no row.
pub fn strays(conn: &mut AnyConn) -> Result<Vec<i64>, StorageError> {
    // From one segment to the next, not through all their slots.
    let rows = sql!(
        "WITH RECURSIVE stored (id) AS (SELECT min(segment) FROM search_postings UNION ALL \
            SELECT (SELECT min(segment) FROM search_postings WHERE segment > stored.id) FROM stored \
            WHERE stored.id IS NOT NULL) \
         SELECT id FROM stored WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM search_segments)"
    );
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| id).collect())
}

/// Makes a segment known.
pub fn insert(conn: &mut AnyConn, row: Row) -> Result<(), StorageError> {
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

/// How many of these segments there are.
pub fn count(conn: &mut AnyConn, segments: &[i64]) -> Result<usize, StorageError> {
    let (count,) =
        sql!("SELECT count(*) FROM search_segments WHERE id IN ?", segments).one::<(i64,)>(conn)?;
    Ok(count as usize)
}

/// Makes segments unknown; what is in their slots stays.
pub fn delete(conn: &mut AnyConn, segments: &[i64]) -> Result<(), StorageError> {
    sql!("DELETE FROM search_segments WHERE id IN ?", segments).run(conn)?;
    Ok(())
}
