//! Up to which id all messages are there that ever will be.
//!
//! On PostgreSQL a message is there once its transaction is committed, and others that drew higher ids may be committed
//! before. Whoever draws ids has begun to write, and so has a number as a transaction: once no transaction is on its way
//! that had begun when an id was the highest, nothing can come up to that id.

use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// How far it has been found out.
#[derive(Debug, Default)]
pub struct Horizon {
    settled: i64,
    /// An id, and the first transaction that begins after it was the highest.
    awaited: Option<(i64, i64)>,
}

impl Horizon {
    /// Looks once more, and returns the id. Call it outside of a transaction, in which time would stand still.
    pub fn look(&mut self, conn: &mut AnyConn) -> Result<i64, StorageError> {
        if let AnyConn::Sqlite(_) = conn {
            // Who writes there is alone.
            return Ok(i64::MAX - 1);
        }
        if self.awaited.is_none() {
            // In this order: who draws an id in between has begun before as well.
            let (id,) = sql!("SELECT last_value FROM message_ids_id_seq").one::<(i64,)>(conn)?;
            let next = sql!("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint");
            self.awaited = Some((id, next.one::<(i64,)>(conn)?.0));
        }
        let oldest = sql!("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint");
        let (oldest,) = oldest.one::<(i64,)>(conn)?;
        if let Some((id, next)) = self.awaited
            && oldest >= next
        {
            (self.settled, self.awaited) = (id, None);
        }
        Ok(self.settled)
    }
}
