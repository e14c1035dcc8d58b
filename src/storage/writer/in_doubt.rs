//! In-doubt transactions (PostgreSQL): the connection was lost during COMMIT, so its outcome is unknown.
//!
//! Each writing connection counts its transactions in a row of its own, inside these same transactions.
//! Afterwards the row shows whether the last one was committed. This also holds after a crash, and on another
//! server after a failover.

use diesel::connection::SimpleConnection;

use crate::{
    core::{
        model::{Timestamp, time::DAY},
        secrets,
    },
    storage::{
        AnyConn, StorageError,
        db::{
            sql::sql,
            steps::SWEEP_STEP,
            transaction::{BEGIN, begin, roll_back},
        },
    },
};

/// Transaction counter of one writing connection. A connection that replaces it continues the counter.
#[derive(Debug)]
pub struct CommitMarker {
    name: String,
    transactions: i64,
}

impl CommitMarker {
    /// Creates a counter under a new, random name.
    pub fn random() -> Self {
        Self { name: secrets::random_name::<16>(), transactions: 0 }
    }

    /// Prepares the counting statement on a connection.
    pub fn prepare(&self, conn: &mut AnyConn) -> Result<(), diesel::result::Error> {
        conn.batch_execute(&format!(
            "PREPARE count_transaction (bigint, bigint) AS \
             INSERT INTO writers (name, transactions, used_at) VALUES ('{}', $1, $2) ON CONFLICT (name) \
             DO UPDATE SET transactions = excluded.transactions, used_at = excluded.used_at",
            self.name
        ))
    }

    /// Begins a transaction and counts it, in one round trip. Returns the transaction's number.
    pub fn begin(&mut self, conn: &mut AnyConn) -> Result<i64, StorageError> {
        self.transactions += 1;
        let (number, now) = (self.transactions, Timestamp::now().0);
        if let Err(error) =
            conn.batch_execute(&format!("{BEGIN}; EXECUTE count_transaction ({number}, {now})"))
        {
            roll_back(conn);
            return Err(error.into());
        }
        Ok(number)
    }

    /// Returns whether the transaction with this number was committed. Waits for it if it is still open.
    pub fn was_committed(&self, conn: &mut AnyConn, number: i64) -> Result<bool, StorageError> {
        begin(conn)?;
        let last = self.last_committed(conn);
        roll_back(conn);
        Ok(last? == number)
    }

    fn last_committed(&self, conn: &mut AnyConn) -> Result<i64, StorageError> {
        // The open transaction may be the one that inserts the row. Only a conflicting INSERT waits for that.
        sql!(
            "INSERT INTO writers (name, transactions, used_at) VALUES (?, 0, 0) ON CONFLICT (name) DO NOTHING",
            &self.name
        )
        .run(conn)?;
        let row = sql!("SELECT transactions FROM writers WHERE name = ? FOR UPDATE", &self.name);
        Ok(row.one::<i64>(conn)?)
    }
}

/// Deletes up to `SWEEP_STEP` counters unused for a day. A connection whose counter was deleted inserts a
/// new row. Returns whether there may be more.
pub fn sweep(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let deleted = sql!(
        "DELETE FROM writers WHERE name IN (SELECT name FROM writers WHERE used_at < ? LIMIT ?)",
        Timestamp::now().plus(-DAY),
        SWEEP_STEP
    )
    .run(conn)?;
    Ok(deleted as i64 == SWEEP_STEP)
}
