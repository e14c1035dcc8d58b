//! Online copies of a SQLite database.

use std::path::Path;

use diesel::{
    Connection, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text,
    sqlite::SqliteConnection,
};

use super::restore_epoch;
use crate::storage::{AnyConn, DatabaseUrl, OpenError, StorageError, db::sql::sql};

/// Returns the maximum size in bytes of a copy of the database.
pub fn size(conn: &mut AnyConn) -> Result<u64, StorageError> {
    let pages = sql!("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    let bytes = pages.one::<i64>(conn)?;
    Ok(bytes.unsigned_abs())
}

/// Copies the current state of the database into an empty file. It reads one snapshot, so it ends regardless
/// of concurrent writes, and it does not block writers.
pub fn copy_into(conn: &mut AnyConn, file: &str) -> Result<(), StorageError> {
    sql_query("VACUUM INTO ?").bind::<Text, _>(file).execute(conn)?;
    Ok(())
}

/// Opens a copy that is not in use, without creating files beside it.
pub fn open_copy(copy: &DatabaseUrl) -> Result<AnyConn, OpenError> {
    let name = copy.name();
    let opened = SqliteConnection::establish(&name).map_err(|error| OpenError::new(&name, error));
    let mut conn = AnyConn::Sqlite(opened?);
    conn.batch_execute("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA journal_mode = MEMORY")
        .map_err(|error| OpenError::new(&name, error))?;
    Ok(conn)
}

/// Marks a file as a copy. A server that starts on it begins a new restore epoch.
pub fn mark(file: &Path) -> Result<(), OpenError> {
    let name = file.display().to_string();
    let marked =
        SqliteConnection::establish(&name).map_err(|error| OpenError::new(&name, error)).map(AnyConn::Sqlite);
    let mut conn = marked?;
    // Creates no files beside the copy, and runs no code from its schema.
    conn.batch_execute("PRAGMA trusted_schema = OFF; PRAGMA journal_mode = MEMORY")
        .map_err(|error| OpenError::new(&name, error))?;
    restore_epoch::mark(&mut conn).map_err(|error| OpenError::new(&name, error))
}
