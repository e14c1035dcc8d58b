//! Import of a SQLite database into an empty PostgreSQL database.
//!
//! Both have the same tables and columns, which are read from their catalogs. Rows are transferred as JSON:
//! each database has functions that write and read it with the right types. All is one transaction, so a
//! failure leaves nothing behind.

use std::{collections::BTreeSet, ops::Range};

use diesel::{
    QueryableByName, RunQueryDsl,
    connection::{DefaultLoadingMode, SimpleConnection},
    sql_query,
    sql_types::Text,
};

use super::rejected_row::{self, RejectedRow, attempt};
use crate::storage::{
    AnyConn, StorageError,
    db::{
        catalog::{self, ColumnType, Columns, Tables},
        sql::sql,
        transaction::{begin, commit, roll_back},
    },
};

/// Most rows of one batch.
const MAX_ROWS: usize = 5_000;

/// Most bytes of one batch before its last row.
const MAX_BYTES: usize = 1 << 20;

/// Why an import failed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{0}")]
    Storage(#[from] StorageError),
    #[error("there are rows in {0} already; an import needs an empty database")]
    NotEmpty(String),
    #[error("table {0} is not the same in both databases")]
    OtherSchema(String),
    #[error(transparent)]
    RejectedRow(#[from] RejectedRow),
    #[error("table {table} has a row that cannot be read, {place}: {reason}")]
    Unreadable { table: String, place: String, reason: String },
    #[error("table {table} differs after the import: {found} in the target, {expected} in the source")]
    Differs { table: String, expected: String, found: String },
}

impl From<diesel::result::Error> for ImportError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// The tables and checksums of a source. Valid within the transaction in which they were read.
pub struct Contents {
    tables: Tables,
    others: BTreeSet<String>,
    checksums: Vec<(String, Checksum)>,
}

/// The number of rows of a table and a sum over each column, in a format that is equal in both databases.
#[derive(Debug, PartialEq, Eq)]
struct Checksum(String);

/// A query result of one text column.
#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    line: String,
}

impl Contents {
    pub fn of(source: &mut AnyConn) -> Result<Self, ImportError> {
        let (tables, others) = catalog::tables(source)?;
        let checksums =
            tables.iter().map(|(table, columns)| Ok((table.clone(), Checksum::of(source, table, columns)?)));
        let checksums = checksums.collect::<Result<_, ImportError>>()?;
        Ok(Self { tables, others, checksums })
    }

    /// Returns the foreign tables of the source, which are not imported.
    pub fn others(&self) -> &BTreeSet<String> {
        &self.others
    }

    /// Returns the number of rows per table.
    pub fn rows(&self) -> impl Iterator<Item = (&str, u64)> {
        self.checksums.iter().map(|(table, checksum)| (table.as_str(), checksum.rows()))
    }
}

impl Checksum {
    fn of(conn: &mut AnyConn, table: &str, columns: &Columns) -> Result<Self, ImportError> {
        let is_postgres = matches!(conn, AnyConn::Postgres(_));
        let sums = columns.iter().map(|(column, kind)| {
            let column = quoted(column);
            let number = match kind {
                // The sum of the full values could overflow.
                ColumnType::Integer => format!("{column} % 1000003"),
                ColumnType::Boolean if is_postgres => format!("{column}::int"),
                ColumnType::Boolean => column.clone(),
                ColumnType::Text | ColumnType::Bytes => format!("octet_length({column})"),
            };
            format!("coalesce(sum({number}), 0), count({column})")
        });
        let sums: Vec<String> = sums.collect();
        let query = format!("SELECT concat_ws(' ', count(*), {}) AS line FROM {table}", sums.join(", "));
        Ok(Self(sql_query(query).get_result::<TextRow>(conn)?.line))
    }

    fn rows(&self) -> u64 {
        self.0.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

/// Copies all rows of a source and compares the checksums. Must run in the transaction of the source in which
/// `contents` was read. [`keep`] must follow to commit. Calls `on_rows` with the number of further rows
/// copied.
pub fn import(
    source: &mut AnyConn,
    contents: &Contents,
    target: &mut AnyConn,
    mut on_rows: impl FnMut(u64),
) -> Result<(), ImportError> {
    begin(target)?;
    copy_tables(source, contents, target, &mut on_rows).inspect_err(|_| roll_back(target))
}

/// Commits an import.
pub fn keep(target: &mut AnyConn) -> Result<(), ImportError> {
    Ok(commit(target)?)
}

fn copy_tables(
    source: &mut AnyConn,
    contents: &Contents,
    target: &mut AnyConn,
    on_rows: &mut impl FnMut(u64),
) -> Result<(), ImportError> {
    let tables = expect_same(contents, target)?;
    // The source may be slow to read. The session of a killed import may hold its locks for a while.
    target
        .batch_execute("SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '30s'")?;
    target.batch_execute(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", ")))?;
    expect_empty(target, &tables)?;
    if !is_referred_to(target, &tables)? {
        // Frees the space that a failed import has left.
        target.batch_execute(&format!("TRUNCATE {}", tables.join(", ")))?;
    }
    for table in &tables {
        copy_table(source, table, &contents.tables[table], target, on_rows)?;
    }
    for (table, expected) in &contents.checksums {
        let found = Checksum::of(target, table, &contents.tables[table])?;
        if found != *expected {
            let (expected, found) = (expected.0.clone(), found.0);
            return Err(ImportError::Differs { table: table.clone(), expected, found });
        }
    }
    // Last, because sequences are not rolled back.
    Ok(raise_ids(source, contents, target)?)
}

/// Returns whether foreign tables refer to one of these. PostgreSQL would then refuse to truncate, or
/// truncate them too.
fn is_referred_to(target: &mut AnyConn, tables: &[String]) -> Result<bool, ImportError> {
    let rows = sql!(
        "SELECT c.conrelid::regclass::text, parent.relname::text FROM pg_constraint c \
         JOIN pg_class parent ON parent.oid = c.confrelid \
         JOIN pg_class child ON child.oid = c.conrelid \
         WHERE c.contype = 'f' AND parent.relnamespace = current_schema()::regnamespace \
         AND NOT (child.relnamespace = parent.relnamespace AND child.relname = ANY(?))",
        tables.iter().map(|table| Some(table.as_str())).collect::<Vec<_>>()
    );
    let rows = rows.rows::<(String, String)>(target).map_err(StorageError::from)?;
    Ok(rows.iter().any(|(_, parent)| tables.contains(parent)))
}

/// Updates PostgreSQL's planner statistics, for good plans from the start.
pub fn analyze(target: &mut AnyConn) -> Result<(), StorageError> {
    Ok(target.batch_execute("ANALYZE")?)
}

/// Checks that both databases have the same tables. Returns them in dependency order, each after those it
/// refers to.
fn expect_same(contents: &Contents, target: &mut AnyConn) -> Result<Vec<String>, ImportError> {
    let (tables, _) = catalog::tables(target)?;
    let names = tables.keys().chain(contents.tables.keys());
    for table in names {
        if tables.get(table) != contents.tables.get(table) {
            return Err(ImportError::OtherSchema(table.clone()));
        }
    }
    Ok(catalog::in_order(target, &tables)?)
}

fn expect_empty(target: &mut AnyConn, tables: &[String]) -> Result<(), ImportError> {
    for table in tables {
        let query = format!("SELECT '' AS line FROM {table} LIMIT 1");
        if !sql_query(query).load::<TextRow>(target)?.is_empty() {
            return Err(ImportError::NotEmpty(table.clone()));
        }
    }
    Ok(())
}

/// Copies all rows of one table.
fn copy_table(
    source: &mut AnyConn,
    table: &str,
    columns: &Columns,
    target: &mut AnyConn,
    on_rows: &mut impl FnMut(u64),
) -> Result<(), ImportError> {
    let names: Vec<String> = columns.keys().map(|column| quoted(column)).collect();
    let names = names.join(", ");
    let insert = format!(
        "INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, $1::json)"
    );
    let AnyConn::Sqlite(source) = source else { return Err(ImportError::OtherSchema(table.to_owned())) };
    let mut batch = Batch::default();
    let rows = sql_query(rows_as_json(table, columns)).load_iter::<TextRow, DefaultLoadingMode>(source)?;
    for (before, row) in rows.enumerate() {
        let row = row.map_err(|error| ImportError::Unreadable {
            table: table.to_owned(),
            place: format!("number {}", before + 1),
            reason: error.to_string(),
        })?;
        batch.add(&row.line);
        if batch.is_full() {
            on_rows(batch.send(table, &insert, target)?);
        }
    }
    on_rows(batch.send(table, &insert, target)?);
    Ok(())
}

fn rows_as_json(table: &str, columns: &Columns) -> String {
    let fields = columns.iter().map(|(column, kind)| match kind {
        // `hex` turns NULL into an empty string.
        ColumnType::Bytes => format!("'{column}', iif({0} IS NULL, NULL, '\\x' || hex({0}))", quoted(column)),
        _ => format!("'{column}', {}", quoted(column)),
    });
    let fields: Vec<String> = fields.collect();
    format!("SELECT json_object({}) AS line FROM {table}", fields.join(", "))
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// A batch of rows as a JSON array.
#[derive(Default)]
struct Batch {
    text: String,
    /// The byte range of each row in `text`.
    rows: Vec<Range<usize>>,
}

impl Batch {
    fn add(&mut self, row: &str) {
        self.text.push(if self.rows.is_empty() { '[' } else { ',' });
        let start = self.text.len();
        self.text.push_str(row);
        self.rows.push(start..self.text.len());
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= MAX_ROWS || self.text.len() >= MAX_BYTES
    }

    /// Inserts the rows and empties the batch. Returns the number of rows.
    fn send(&mut self, table: &str, insert: &str, target: &mut AnyConn) -> Result<u64, ImportError> {
        if !self.rows.is_empty() {
            self.text.push(']');
            if let Err(error) = attempt(target, insert, &self.text) {
                let rows = self.rows.iter().map(|row| &self.text[row.clone()]);
                let found = rejected_row::find(target, table, insert, rows).ok().flatten();
                return Err(found.map_or_else(|| error.into(), ImportError::from));
            }
        }
        self.text.clear();
        Ok(self.rows.drain(..).count() as u64)
    }
}

/// Raises the ids to the last ones that the source has assigned, even where their rows are deleted.
fn raise_ids(source: &mut AnyConn, contents: &Contents, target: &mut AnyConn) -> Result<(), StorageError> {
    let given = sql!("SELECT name, seq FROM sqlite_sequence WHERE seq > 0").rows::<(String, i64)>(source)?;
    for (table, last) in given.into_iter().filter(|(table, _)| contents.tables.contains_key(table)) {
        let raised = sql!("SELECT setval(pg_get_serial_sequence(?, 'id'), ?)", &table, last);
        raised.rows::<i64>(target)?;
    }
    Ok(())
}
