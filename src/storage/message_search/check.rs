//! Consistency check of the search index: rebuilds it and compares it with what is stored.

use super::{indexer::rebuild, pending_changes, segments, texts};
use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// Returns one sentence per difference. Segments with pending changes are not compared.
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
        if is_settled && *rebuild(conn, &[row])?.postings() != stored(conn, row.id)? {
            differences.push(format!("{name} differs from them"));
        }
    }
    Ok(differences)
}

/// Returns the stored postings of a segment by slot.
fn stored(conn: &mut AnyConn, segment: i64) -> Result<Vec<(i64, Vec<u8>)>, StorageError> {
    Ok(sql!("SELECT slot, postings FROM search_postings WHERE segment = ? ORDER BY slot", segment)
        .rows(conn)?)
}
