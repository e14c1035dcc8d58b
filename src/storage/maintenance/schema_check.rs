//! Compares the schema of a SQLite file with that of the migrations. Foreign triggers, views and expressions
//! would run during ordinary reads and writes.

use std::collections::BTreeSet;

use diesel::{Connection, connection::SimpleConnection, sqlite::SqliteConnection};

use crate::storage::{
    AnyConn, OpenError, StorageError,
    db::{migrations, sql::sql},
};

/// A row of the schema: type, name, the table that it belongs to, and its SQL statement.
type SchemaRow = (String, String, String, Option<String>);

/// diesel's own table of migrations. Its statement depends on the version of diesel that created it.
const MIGRATIONS: &str = "__diesel_schema_migrations";

/// Returns a sentence for each difference from the schema of the migrations. Foreign tables and their indexes
/// are permitted. A schema from a newer Greenroom is not compared.
pub fn differences(conn: &mut AnyConn) -> Result<Vec<String>, StorageError> {
    if matches!(conn, AnyConn::Postgres(_)) {
        return Ok(Vec::new());
    }
    let found = rows(conn)?;
    let ours = rows(&mut migrations::newest()?)?;
    let is_ours =
        |row: &SchemaRow| ours.iter().any(|other| other.1 == row.1 && statement(other) == statement(row));
    let code = found.iter().filter(|row| is_code(row) && !is_ours(row));
    let mut differences: Vec<String> = code.map(|row| format!("{} is not Greenroom's", named(row))).collect();
    if !differences.is_empty() {
        // A view may have the name of a table that would be read next, so nothing further is read.
        return Ok(differences);
    }
    let Some(mut model) = migrations::model(conn)? else { return Ok(differences) };
    let expected = rows(&mut model)?;
    let tables: BTreeSet<&str> = expected.iter().map(|row| row.2.as_str()).collect();
    for row in &found {
        match expected.iter().find(|other| (&other.0, &other.1) == (&row.0, &row.1)) {
            Some(other) if row.1 != MIGRATIONS && statement(row) != statement(other) => {
                differences.push(format!("{} is not as Greenroom makes it", named(row)));
            }
            Some(_) => {}
            None if tables.contains(row.2.to_lowercase().as_str()) => {
                differences.push(format!("{} is not Greenroom's", named(row)));
            }
            None => {}
        }
    }
    let is_missing = |row: &&SchemaRow| !found.iter().any(|other| (&other.0, &other.1) == (&row.0, &row.1));
    differences.extend(expected.iter().filter(is_missing).map(|row| format!("{} is missing", named(row))));
    Ok(differences)
}

/// Returns the schema differences of a file that no process has open, before any write and before any of its
/// code runs.
pub fn look(path: &str) -> Result<Vec<String>, StorageError> {
    let refused = |error: &dyn std::fmt::Display| OpenError::new(path, error);
    let absolute = std::path::absolute(path).map_err(|error| refused(&error))?;
    let uri = url::Url::from_file_path(&absolute).map_err(|()| refused(&"its path is invalid"))?;
    let conn = SqliteConnection::establish(&format!("{uri}?immutable=1")).map_err(|error| refused(&error))?;
    let mut conn = AnyConn::Sqlite(conn);
    let wary = "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA cell_size_check = ON";
    conn.batch_execute(wary)?;
    differences(&mut conn)
}

fn rows(conn: &mut AnyConn) -> Result<Vec<SchemaRow>, StorageError> {
    // SQLite's own entries have either no statement or a table with a reserved name.
    let rows = sql!(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema \
         WHERE NOT (type = 'index' AND sql IS NULL) \
         AND NOT (type = 'table' AND name IN ('sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4') \
         AND sql LIKE 'CREATE TABLE sqlite\\_%' ESCAPE '\\') ORDER BY rowid"
    );
    Ok(rows.rows(conn)?)
}

/// Returns whether a row is anything but a table or an index. SQLite acts on the statement, whatever the type
/// column says.
fn is_code(row: &SchemaRow) -> bool {
    let begins =
        |with: &[&str]| with.iter().any(|start| row.3.as_ref().is_some_and(|sql| sql.starts_with(start)));
    match row.0.as_str() {
        "table" => !begins(&["CREATE TABLE ", "CREATE VIRTUAL TABLE "]),
        "index" => !begins(&["CREATE INDEX ", "CREATE UNIQUE INDEX "]),
        _ => true,
    }
}

/// Returns the statement with normalized white space, which differs between versions of SQLite.
fn statement(row: &SchemaRow) -> String {
    row.3.iter().flat_map(|sql| sql.split_whitespace()).collect::<Vec<_>>().join(" ")
}

/// Formats a row for a message. Names are escaped, since they may contain any characters.
fn named(row: &SchemaRow) -> String {
    let (kind, name, table) = (row.0.escape_debug(), row.1.escape_debug(), row.2.escape_debug());
    if row.1 == row.2 { format!("{kind} {name}") } else { format!("{kind} {name} on {table}") }
}
