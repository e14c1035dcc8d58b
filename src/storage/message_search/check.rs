//! Making the index once more, to find any difference from what is stored.

use super::{indexer::anew, pending_changes, segments, texts};
use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// A sentence for each difference. Segments with changes that they have not taken in are left out.
pub fn differences(conn: &mut AnyConn) -> Result<Vec<String>, StorageError> {
    let mut differences = Vec::new();
    let mut segments = segments::with_messages(conn, 0..i64::MAX)?;
    segments.reverse();
    let mut expected = 1;
    for row in segments {
        let (first_id, last_id) = (row.first_id, row.last_id);
        let name = format!("the search index of messages {first_id} to {last_id}");
        if first_id < expected {
            differences.push(format!("{name} overlaps with the one before"));
        } else if !texts::first(conn, expected..first_id, 1)?.is_empty() {
            differences.push(format!("{name} does not follow the one before"));
        }
        expected = last_id + 1;
        let is_settled = pending_changes::of(conn, first_id..last_id + 1)?.is_empty();
        if is_settled && *anew(conn, &[row])?.postings() != stored(conn, row.id)? {
            differences.push(format!("{name} differs from them"));
        }
    }
    Ok(differences)
}

/// What a segment has in all its slots, by slot.
fn stored(conn: &mut AnyConn, segment: i64) -> Result<Vec<(i64, Vec<u8>)>, StorageError> {
    Ok(sql!("SELECT slot, postings FROM search_postings WHERE segment = ? ORDER BY slot", segment)
        .rows(conn)?)
}
