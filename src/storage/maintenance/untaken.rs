//! Which row PostgreSQL does not take, when some do not go over.

use std::collections::BTreeMap;

use diesel::{RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text};
use serde_json::value::RawValue;

use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// A row that PostgreSQL does not take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "PostgreSQL does not take a row of table {table}, {row}: {reason}; mend it in the source and import again"
)]
pub struct Untaken {
    table: String,
    /// Its key, and the column where that is known: `id 5, column email`.
    row: String,
    reason: String,
}

/// Runs a statement such that the transaction goes on where it fails.
pub(crate) fn attempt(conn: &mut AnyConn, statement: &str, json: &str) -> Result<(), diesel::result::Error> {
    conn.batch_execute("SAVEPOINT attempt")?;
    match sql_query(statement).bind::<Text, _>(json).execute(conn) {
        Ok(_) => conn.batch_execute("RELEASE attempt"),
        Err(error) => {
            // Where the connection is gone this fails as well, and the first reason is the better one.
            let _ = conn.batch_execute("ROLLBACK TO attempt");
            Err(error)
        }
    }
}

/// Finds the first of these rows that is not taken, by storing one after the other. `insert` takes a list in JSON.
pub(crate) fn find<'a>(
    conn: &mut AnyConn,
    table: &str,
    insert: &str,
    rows: impl Iterator<Item = &'a str>,
) -> Result<Option<Untaken>, StorageError> {
    for row in rows {
        if let Err(error) = attempt(conn, insert, &format!("[{row}]")) {
            return Ok(Some(named(conn, table, row, &error.to_string())?));
        }
    }
    Ok(None)
}

fn named(conn: &mut AnyConn, table: &str, row: &str, why: &str) -> Result<Untaken, StorageError> {
    let keys = sql!(
        "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) \
         WHERE i.indrelid = ?::text::regclass AND i.indisprimary ORDER BY a.attnum",
        table
    )
    .rows::<(String,)>(conn)?;
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(row).unwrap_or_default();
    let value = |column: &String| fields.get(column).map_or("null", |value| value.get());
    let mut place: Vec<String> = keys.iter().map(|(key,)| format!("{key} {}", value(key))).collect();
    let mut reason = why.to_owned();
    let take = format!("SELECT r FROM json_populate_record(NULL::{table}, $1::json) r");
    for (column, value) in &fields {
        let alone = format!("{{\"{column}\": {}}}", value.get());
        if let Err(error) = attempt(conn, &take, &alone) {
            place.push(format!("column {column}"));
            let has_nul = value.get().contains("\\u0000");
            reason = if has_nul { "there is a NUL in the text".to_owned() } else { error.to_string() };
            break;
        }
    }
    Ok(Untaken { table: table.to_owned(), row: place.join(", "), reason })
}
