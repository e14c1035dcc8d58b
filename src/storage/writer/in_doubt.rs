//! Commits that are not answered, because the connection is lost over them. Each writing connection to PostgreSQL counts
//! its transactions in a row of its own, in the same transactions: what the row says afterwards is what became of the
//! last one. That holds after a crash and on another server that took over as well.

use diesel::connection::SimpleConnection;

use crate::{
    core::model::{Timestamp, time::DAY},
    storage::{
        AnyConn, StorageError,
        db::{
            sql::sql,
            steps::SWEEP_STEP,
            transaction::{BEGIN, begin, roll_back},
        },
    },
};

/// The count of one writing connection, and of those that follow it.
#[derive(Debug)]
pub struct Count {
    name: String,
    transactions: i64,
}

impl Count {
    /// A new count under a name that nobody else has.
    pub fn drawn() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self { name: format!("{:032x}", u128::from_ne_bytes(bytes)), transactions: 0 }
    }

    /// Has a connection know how to count here.
    pub fn prepare(&self, conn: &mut AnyConn) -> Result<(), diesel::result::Error> {
        conn.batch_execute(&format!(
            "PREPARE count_transaction (bigint, bigint) AS \
             INSERT INTO writers (name, transactions, used_at) VALUES ('{}', $1, $2) ON CONFLICT (name) \
             DO UPDATE SET transactions = excluded.transactions, used_at = excluded.used_at",
            self.name
        ))
    }

    /// Begins a transaction and counts it, in one journey to the server. Returns its number.
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

    /// Whether the transaction with this number was committed. Where it has not ended yet this waits for it.
    pub fn was_committed(&self, conn: &mut AnyConn, number: i64) -> Result<bool, StorageError> {
        begin(conn)?;
        let counted = self.counted(conn);
        roll_back(conn);
        Ok(counted? == number)
    }

    fn counted(&self, conn: &mut AnyConn) -> Result<i64, StorageError> {
        // A first row that is not committed yet can be waited for in this way only.
        sql!(
            "INSERT INTO writers (name, transactions, used_at) VALUES (?, 0, 0) ON CONFLICT (name) DO NOTHING",
            &self.name
        )
        .run(conn)?;
        let row = sql!("SELECT transactions FROM writers WHERE name = ? FOR UPDATE", &self.name);
        Ok(row.one::<(i64,)>(conn)?.0)
    }
}

/// Deletes some counts of connections that are not used any more. One that is, begins a new row. Returns whether there may
/// be more.
pub fn sweep(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let deleted = sql!(
        "DELETE FROM writers WHERE name IN (SELECT name FROM writers WHERE used_at < ? LIMIT ?)",
        Timestamp::now().plus(-DAY),
        SWEEP_STEP
    )
    .run(conn)?;
    Ok(deleted as i64 == SWEEP_STEP)
}
