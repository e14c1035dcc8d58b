//! Restore epochs: continuing from a database that was restored to an earlier state.
//!
//! Clients may have seen messages, chats and changes that the restored database has lost. New numbers must
//! never equal a lost one. So all ids and sequence numbers continue from a value that was never reached. A
//! client with a smaller number reloads a chat from before the restore.

use crate::{
    core::model::{Seq, Timestamp},
    storage::{
        AnyConn, StorageError,
        db::{migrations, sql::sql},
        tables::settings,
    },
};

/// Setting with the time when a copy was made. It exists until a server first starts on the copy.
const COPIED: &str = "copied_at";

/// Setting with the number from which all others continued after the restore.
const RESTORED: &str = "restored_from";

/// Marks the database as a copy.
pub(crate) fn mark(conn: &mut AnyConn) -> Result<(), StorageError> {
    settings::put(conn, COPIED, &Timestamp::now().to_string())
}

/// Returns the number of the restore epoch, or 0 if the database was never restored. Chat numbers below it
/// may refer to a lost state. If the database is a fresh copy, first raises all numbers. Must run in a
/// writing transaction.
pub fn number(conn: &mut AnyConn) -> Result<Seq, StorageError> {
    if settings::remove(conn, COPIED)? {
        return raise_numbers(conn);
    }
    Ok(settings::get(conn, RESTORED)?.and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// Raises every id and every chat's sequence number to a value that was never reached, and returns it. It
/// uses the microseconds since 1970, as no counter advances a million times a second. Must run in a writing
/// transaction, with no server running.
pub fn raise_numbers(conn: &mut AnyConn) -> Result<Seq, StorageError> {
    let highest = sql!("SELECT max(seq) FROM chats").one::<Option<i64>>(conn)?;
    let number = Timestamp::now().0.max(highest.unwrap_or(0) + 1).max(highest_id(conn)? + 1);
    sql!("UPDATE chats SET seq = ?", number).run(conn)?;
    raise_ids(conn, number)?;
    settings::put(conn, RESTORED, &number.to_string())?;
    settings::remove(conn, COPIED)?;
    // If the original database is still in use, the two deployments must not exchange messages on the bus.
    settings::remove(conn, settings::DEPLOYMENT)?;
    Ok(number)
}

/// Returns the highest id that any table has assigned.
fn highest_id(conn: &mut AnyConn) -> Result<i64, StorageError> {
    let rows = match conn {
        AnyConn::Sqlite(_) => {
            sql!("SELECT name, coalesce(seq, 0) FROM sqlite_sequence").rows::<(String, i64)>(conn)?
        }
        AnyConn::Postgres(_) => sql!(
            "SELECT t.relname::text, coalesce(pg_sequence_last_value(d.objid), 0) FROM pg_depend d \
             JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_class t ON t.oid = d.refobjid \
             WHERE d.deptype IN ('a', 'i') AND t.relnamespace = current_schema()::regnamespace"
        )
        .rows(conn)?,
    };
    let ours = migrations::tables()?;
    Ok(rows.into_iter().filter(|(table, _)| ours.contains(table)).map(|(_, id)| id).max().unwrap_or(0))
}

/// Raises the ids of Greenroom's own tables. Foreign tables keep theirs.
fn raise_ids(conn: &mut AnyConn, number: i64) -> Result<(), StorageError> {
    for table in migrations::tables()? {
        match conn {
            AnyConn::Postgres(_) => {
                let raised = sql!(
                    "SELECT setval(s.oid::regclass, ?) FROM pg_depend d \
                     JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_class t ON t.oid = d.refobjid \
                     WHERE d.deptype IN ('a', 'i') AND t.relnamespace = current_schema()::regnamespace \
                     AND t.relname = ?",
                    number,
                    &table
                );
                raised.rows::<i64>(conn)?;
            }
            AnyConn::Sqlite(_) => {
                // A table that never had a row is missing in `sqlite_sequence`.
                sql!(
                    "INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_schema \
                     WHERE type = 'table' AND name = ? AND sql LIKE '%AUTOINCREMENT%' \
                     AND name NOT IN (SELECT name FROM sqlite_sequence)",
                    &table
                )
                .run(conn)?;
                sql!("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", number, &table).run(conn)?;
            }
        }
    }
    Ok(())
}
