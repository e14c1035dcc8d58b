//! The tables and columns of a database, from its own catalog.

use std::collections::{BTreeMap, BTreeSet};

use super::{migrations, sql::sql};
use crate::storage::{AnyConn, StorageError};

/// Greenroom's tables that hold data, by name. Derived data is left out: the internal tables of an index, and
/// generated columns.
pub type Tables = BTreeMap<String, Columns>;

/// A table's columns by name.
pub type Columns = BTreeMap<String, ColumnType>;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    Integer,
    Boolean,
    Text,
    Bytes,
}

/// Returns Greenroom's tables, and the names of foreign tables in the same database.
pub fn tables(conn: &mut AnyConn) -> Result<(Tables, BTreeSet<String>), StorageError> {
    let ours = migrations::tables()?;
    let rows = match conn {
        AnyConn::Sqlite(_) => sql!(
            "SELECT t.name, c.name, c.type FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c \
             WHERE t.schema = 'main' AND t.type = 'table' AND c.hidden = 0 AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
        .rows::<(String, String, String)>(conn)?,
        AnyConn::Postgres(_) => sql!(
            "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
             JOIN information_schema.tables USING (table_schema, table_name) \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND is_generated = 'NEVER'"
        )
        .rows::<(String, String, String)>(conn)?,
    };
    let (mut tables, mut others) = (Tables::new(), BTreeSet::new());
    for (table, column, kind) in rows {
        if ours.contains(&table) {
            let kind = kind_of(&table, &column, &kind)?;
            tables.entry(table).or_default().insert(column, kind);
        } else if table != "__diesel_schema_migrations" {
            others.insert(table);
        }
    }
    Ok((tables, others))
}

fn kind_of(table: &str, column: &str, kind: &str) -> Result<ColumnType, StorageError> {
    Ok(match kind.to_ascii_lowercase().as_str() {
        "integer" | "bigint" | "smallint" => ColumnType::Integer,
        "boolean" => ColumnType::Boolean,
        "text" => ColumnType::Text,
        "blob" | "bytea" => ColumnType::Bytes,
        _ => {
            return Err(StorageError::Unavailable(format!(
                "column {column} of {table} is of an unknown type, {kind}"
            )));
        }
    })
}

/// Returns the names of PostgreSQL's tables in dependency order, each after the tables that it refers to.
pub fn in_order(conn: &mut AnyConn, tables: &Tables) -> Result<Vec<String>, StorageError> {
    let references = sql!(
        "SELECT child.relname::text, parent.relname::text FROM pg_constraint c \
         JOIN pg_class child ON child.oid = c.conrelid JOIN pg_class parent ON parent.oid = c.confrelid \
         WHERE c.contype = 'f' AND c.conrelid <> c.confrelid \
         AND child.relnamespace = current_schema()::regnamespace AND parent.relnamespace = child.relnamespace"
    )
    .rows::<(String, String)>(conn)?;
    let mut left: BTreeSet<&String> = tables.keys().collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let waits = |table: &&String| {
            references.iter().any(|(child, parent)| child == *table && left.contains(parent))
        };
        let ready: Vec<&String> = left.iter().copied().filter(|table| !waits(table)).collect();
        if ready.is_empty() {
            return Err(StorageError::Unavailable("tables refer to each other in a circle".to_owned()));
        }
        left.retain(|table| !ready.contains(table));
        ordered.extend(ready.into_iter().cloned());
    }
    Ok(ordered)
}
