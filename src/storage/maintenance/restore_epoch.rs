//! A database that was put back to an earlier state.
//!
//! Its clients may know of more than is in it: messages, chats and changes that are lost. What is given from now on must
//! not look like any of that, so every number goes on from one that was never reached, and whoever names a smaller one of
//! a chat from before loads that chat again.

use crate::{
    core::model::{Seq, Timestamp},
    storage::{
        AnyConn, StorageError,
        db::{migrations, sql::sql},
        tables::settings,
    },
};

/// When a copy was made, as long as nobody has gone on from it.
const COPIED: &str = "copied_at";

/// The number from which all others went on when the database was put back.
const RESTORED: &str = "restored_from";

/// Makes a copy known as one.
pub(crate) fn mark(conn: &mut AnyConn) -> Result<(), StorageError> {
    settings::put(conn, COPIED, &Timestamp::now().to_string())
}

/// The number below which numbers of chats may be of a time that is lost; 0 where none is. Raises all numbers first, where
/// the database is a copy that nobody has gone on from. Call it in a transaction that may write.
pub fn number(conn: &mut AnyConn) -> Result<Seq, StorageError> {
    if settings::remove(conn, COPIED)? {
        return raise_numbers(conn);
    }
    Ok(settings::get(conn, RESTORED)?.and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// Has every id and every chat's change number go on from one that was never reached: the microseconds since 1970, as
/// nothing is counted up a million times a second. Returns it. Call it in a transaction that may write, with no server
/// running.
pub fn raise_numbers(conn: &mut AnyConn) -> Result<Seq, StorageError> {
    let (highest,) = sql!("SELECT max(seq) FROM chats").one::<(Option<i64>,)>(conn)?;
    let number = Timestamp::now().0.max(highest.unwrap_or(0) + 1).max(highest_id(conn)? + 1);
    sql!("UPDATE chats SET seq = ?", number).run(conn)?;
    raise_ids(conn, number)?;
    settings::put(conn, RESTORED, &number.to_string())?;
    settings::remove(conn, COPIED)?;
    // Where what it was copied from is still served, the two do not hear of each other.
    settings::remove(conn, settings::DEPLOYMENT)?;
    Ok(number)
}

/// The highest id that any table has given.
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

/// Tables of others keep their ids.
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
                raised.rows::<(i64,)>(conn)?;
            }
            AnyConn::Sqlite(_) => {
                // A table that never had a row is not listed there.
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
