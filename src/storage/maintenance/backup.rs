//! Copies of a SQLite database, made while others write to it.

use std::path::Path;

use diesel::{
    Connection, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text,
    sqlite::SqliteConnection,
};

use super::restore_epoch;
use crate::storage::{AnyConn, OpenError, StorageError, db::sql::sql};

/// How many bytes a database has at most once it is copied.
pub fn size(conn: &mut AnyConn) -> Result<u64, StorageError> {
    let pages = sql!("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    let (bytes,) = pages.one::<(i64,)>(conn)?;
    Ok(bytes.unsigned_abs())
}

/// Copies the database, as it is now, into an empty file. It reads one view of it, so it comes to an end however much is
/// written meanwhile, and nobody who writes waits for it.
pub fn copy_into(conn: &mut AnyConn, file: &str) -> Result<(), StorageError> {
    sql_query("VACUUM INTO ?").bind::<Text, _>(file).execute(conn)?;
    Ok(())
}

/// Makes a copy known as one, for the server that is to go on from it.
pub fn mark(file: &Path) -> Result<(), OpenError> {
    let name = file.display().to_string();
    let marked =
        SqliteConnection::establish(&name).map_err(|error| OpenError::new(&name, error)).map(AnyConn::Sqlite);
    let mut conn = marked?;
    // No other files beside it, and nothing that the schema itself says to carry out.
    conn.batch_execute("PRAGMA trusted_schema = OFF; PRAGMA journal_mode = MEMORY")
        .map_err(|error| OpenError::new(&name, error))?;
    restore_epoch::mark(&mut conn).map_err(|error| OpenError::new(&name, error))
}
