//! The settled id: no message with this id or a lower one can appear any more.
//!
//! On PostgreSQL a message appears when its transaction commits, and higher ids may be committed first. A
//! transaction that draws an id is writing, so it already has a transaction number. Take the highest id, and
//! wait until all transactions that had begun by then have ended. No further message can then appear up to
//! that id.

use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// Tracks the settled id.
#[derive(Debug, Default)]
pub struct Horizon {
    settled: i64,
    /// A candidate id, and the first transaction number that begins after it was the highest.
    awaited: Option<(i64, i64)>,
}

impl Horizon {
    /// Updates and returns the settled id. Must run outside of a transaction, in which the snapshot would not
    /// advance.
    pub fn advance(&mut self, conn: &mut AnyConn) -> Result<i64, StorageError> {
        if let AnyConn::Sqlite(_) = conn {
            // SQLite has only one writer.
            return Ok(i64::MAX - 1);
        }
        if self.awaited.is_none() {
            // In this order: a transaction that draws an id in between has begun before as well.
            let id = sql!("SELECT last_value FROM message_ids_id_seq").one::<i64>(conn)?;
            let next = sql!("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint");
            self.awaited = Some((id, next.one::<i64>(conn)?));
        }
        let oldest = sql!("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint");
        let oldest = oldest.one::<i64>(conn)?;
        if let Some((id, next)) = self.awaited
            && oldest >= next
        {
            (self.settled, self.awaited) = (id, None);
        }
        Ok(self.settled)
    }
}
