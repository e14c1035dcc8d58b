//! Finds the row that PostgreSQL rejects when a batch of an import fails.

use std::collections::BTreeMap;

use diesel::{RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text};
use serde_json::value::RawValue;

use crate::storage::{AnyConn, StorageError, db::sql::sql};

/// A row that PostgreSQL rejects.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("PostgreSQL rejects a row of table {table}, {row}: {reason}; fix it in the source and import again")]
pub struct RejectedRow {
    table: String,
    /// The row's key, and the column where it is known: `id 5, column email`.
    row: String,
    reason: String,
}

/// Runs a statement within a savepoint, so that the transaction survives a failure.
pub(crate) fn attempt(conn: &mut AnyConn, statement: &str, json: &str) -> Result<(), diesel::result::Error> {
    conn.batch_execute("SAVEPOINT attempt")?;
    match sql_query(statement).bind::<Text, _>(json).execute(conn) {
        Ok(_) => conn.batch_execute("RELEASE attempt"),
        Err(error) => {
            // It fails too where the connection is lost; the first error is the more useful one.
            let _ = conn.batch_execute("ROLLBACK TO attempt");
            Err(error)
        }
    }
}

/// Finds the first row that is rejected, by inserting one at a time. `insert` takes a JSON array of rows.
pub(crate) fn find<'a>(
    conn: &mut AnyConn,
    table: &str,
    insert: &str,
    rows: impl Iterator<Item = &'a str>,
) -> Result<Option<RejectedRow>, StorageError> {
    for row in rows {
        if let Err(error) = attempt(conn, insert, &format!("[{row}]")) {
            return Ok(Some(describe(conn, table, row, &error.to_string())?));
        }
    }
    Ok(None)
}

fn describe(conn: &mut AnyConn, table: &str, row: &str, why: &str) -> Result<RejectedRow, StorageError> {
    let keys = sql!(
        "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) \
         WHERE i.indrelid = ?::text::regclass AND i.indisprimary ORDER BY a.attnum",
        table
    )
    .rows::<String>(conn)?;
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(row).unwrap_or_default();
    let value = |column: &String| fields.get(column).map_or("null", |value| value.get());
    let mut parts: Vec<String> = keys.iter().map(|key| format!("{key} {}", value(key))).collect();
    let mut reason = why.to_owned();
    let take = format!("SELECT r FROM json_populate_record(NULL::{table}, $1::json) r");
    for (column, value) in &fields {
        let alone = format!("{{\"{column}\": {}}}", value.get());
        if let Err(error) = attempt(conn, &take, &alone) {
            parts.push(format!("column {column}"));
            let has_nul = value.get().contains("\\u0000");
            reason = if has_nul { "there is a NUL in the text".to_owned() } else { error.to_string() };
            break;
        }
    }
    Ok(RejectedRow { table: table.to_owned(), row: parts.join(", "), reason })
}
