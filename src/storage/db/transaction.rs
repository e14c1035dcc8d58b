//! Transactions: those that may write, and consistent views.

use super::{conn::AnyConn, error::StorageError};

use diesel::connection::SimpleConnection;

/// How often what another transaction was in the way of is tried.
pub(crate) const TRIES: usize = 3;

/// Does `work` in one transaction that may write: all of it is durable afterwards, or nothing happened. It may be called
/// again, where another transaction was in the way.
pub fn transaction<T>(
    conn: &mut AnyConn,
    mut work: impl FnMut(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    for _ in 1..TRIES {
        match attempt(conn, &mut work) {
            Err(StorageError::Clashed(_)) => {}
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

/// Does `work` on one consistent view of the database.
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

/// Begins a transaction that may write. On SQLite it is the only one in the database. On PostgreSQL others write as well:
/// what is decided in it holds where the rows that it depends on have been locked (see `locks`).
pub(crate) fn begin(conn: &mut AnyConn) -> Result<(), StorageError> {
    Ok(conn.batch_execute(match conn {
        // SQLite's plain BEGIN takes the write lock too late to wait for it.
        AnyConn::Sqlite(_) => "BEGIN IMMEDIATE",
        AnyConn::Postgres(_) => BEGIN,
    })?)
}

/// Each statement sees what was committed before it began, and so all that it waited for.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

pub(crate) fn commit(conn: &mut AnyConn) -> Result<(), StorageError> {
    let text = match conn {
        AnyConn::Sqlite(_) => "COMMIT",
        // PostgreSQL answers COMMIT with success where a statement has failed before, and stores nothing. Any other
        // statement fails then, and what follows it is not carried out.
        AnyConn::Postgres(_) => "SELECT 1; COMMIT",
    };
    if let Err(error) = conn.batch_execute(text) {
        roll_back(conn);
        return Err(error.into());
    }
    Ok(())
}

/// Ends a transaction without a trace. A failure means that there was none left to end.
pub(crate) fn roll_back(conn: &mut AnyConn) {
    let _ = conn.batch_execute("ROLLBACK");
}
