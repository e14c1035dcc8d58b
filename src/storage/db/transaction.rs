//! Writing transactions and read snapshots.

use super::{conn::AnyConn, error::StorageError};

use diesel::connection::SimpleConnection;

/// Attempts per transaction in case of conflicts.
pub(crate) const TRIES: usize = 3;

/// Runs `work` in a writing transaction: all of it is committed, or nothing. Calls `work` again after a
/// conflict with another transaction.
pub fn transaction<T>(
    conn: &mut AnyConn,
    mut work: impl FnMut(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    for _ in 1..TRIES {
        match attempt(conn, &mut work) {
            Err(StorageError::Conflict(_)) => {}
            done => return done,
        }
    }
    attempt(conn, &mut work)
}

fn attempt<T>(
    conn: &mut AnyConn,
    work: &mut impl FnMut(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    begin(conn)?;
    match work(conn) {
        Ok(value) => {
            commit(conn)?;
            Ok(value)
        }
        Err(error) => {
            roll_back(conn);
            Err(error)
        }
    }
}

/// Runs `work` on one consistent snapshot of the database.
pub fn snapshot<T>(
    conn: &mut AnyConn,
    work: impl FnOnce(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    match conn {
        AnyConn::Sqlite(_) => conn.batch_execute("BEGIN DEFERRED")?,
        AnyConn::Postgres(_) => conn.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?,
    }
    let result = work(conn);
    roll_back(conn);
    result
}

/// Begins a writing transaction. On SQLite it is the only one in the database. On PostgreSQL there are
/// others: a decision is valid only if the rows it depends on are locked (see `locks`).
pub(crate) fn begin(conn: &mut AnyConn) -> Result<(), StorageError> {
    Ok(conn.batch_execute(match conn {
        // A plain BEGIN takes the write lock with the first write, when SQLite can no longer wait for it.
        AnyConn::Sqlite(_) => "BEGIN IMMEDIATE",
        AnyConn::Postgres(_) => BEGIN,
    })?)
}

/// Each statement sees everything that was committed before it began, and so the result of every lock it
/// waited for.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

pub(crate) fn commit(conn: &mut AnyConn) -> Result<(), StorageError> {
    let text = match conn {
        AnyConn::Sqlite(_) => "COMMIT",
        // After a failed statement PostgreSQL answers COMMIT with success and rolls back. Any other statement
        // fails then, and the COMMIT behind it is not executed.
        AnyConn::Postgres(_) => "SELECT 1; COMMIT",
    };
    if let Err(error) = conn.batch_execute(text) {
        roll_back(conn);
        return Err(error.into());
    }
    Ok(())
}

/// Rolls back. A failure means that no transaction was open.
pub(crate) fn roll_back(conn: &mut AnyConn) {
    let _ = conn.batch_execute("ROLLBACK");
}
