//! Schema migrations, embedded in the binary.

use std::collections::BTreeSet;

use diesel::{
    Connection,
    backend::Backend,
    migration::MigrationSource,
    pg::Pg,
    sqlite::{Sqlite, SqliteConnection},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{error::OpenError, session::lock_schema, sql::sql};
use crate::storage::{Access, AnyConn, DatabaseUrl, StorageError};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Opens or creates the database and runs pending migrations. Returns the names of the migrations that ran.
/// Refuses a database from a newer Greenroom.
pub fn migrate(url: &DatabaseUrl) -> Result<Vec<String>, OpenError> {
    migrate_reporting(url, &|_| {})
}

/// Runs pending migrations like [`migrate`]. Calls `on_wait` if it must wait for another process.
pub fn migrate_reporting(url: &DatabaseUrl, on_wait: &dyn Fn(String)) -> Result<Vec<String>, OpenError> {
    let name = url.name();
    let mut conn = url.open(Access::Write)?;
    let waits = |holder| on_wait(format!("another process that migrates the schema of {name}{holder}"));
    lock_schema(&mut conn, &waits).map_err(|error| OpenError::new(&name, error))?;
    let ran = match &mut conn {
        AnyConn::Sqlite(conn) => run(conn, SQLITE),
        AnyConn::Postgres(conn) => run(conn, POSTGRES),
    };
    ran.map_err(|reason| OpenError::new(&name, reason))
}

/// Reverts migrations of these names, the latest first, as an older Greenroom needs it.
pub(crate) fn revert(url: &DatabaseUrl, names: &[String]) -> Result<(), OpenError> {
    let name = url.name();
    let mut conn = url.open(Access::Write)?;
    lock_schema(&mut conn, &|_| {}).map_err(|error| OpenError::new(&name, error))?;
    let reverted = match &mut conn {
        AnyConn::Sqlite(conn) => undo(conn, SQLITE, names),
        AnyConn::Postgres(conn) => undo(conn, POSTGRES, names),
    };
    reverted.map_err(|reason| OpenError::new(&name, reason))
}

/// How a database's schema compares with the one of this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaVersion {
    Older,
    Same,
    Newer,
}

/// Compares the schema versions. Fails where the database is not Greenroom's.
pub fn schema_version(conn: &mut AnyConn) -> Result<SchemaVersion, StorageError> {
    let known = match conn {
        AnyConn::Sqlite(_) => versions::<Sqlite>(&SQLITE),
        AnyConn::Postgres(_) => versions::<Pg>(&POSTGRES),
    };
    let known = known.map_err(StorageError::Unavailable)?;
    let rows = sql!("SELECT version FROM __diesel_schema_migrations").rows::<String>(conn);
    let foreign = |error| StorageError::Unavailable(format!("it is no database of Greenroom's: {error}"));
    let applied: BTreeSet<String> = rows.map_err(foreign)?.into_iter().collect();
    Ok(if applied == known {
        SchemaVersion::Same
    } else if applied.is_subset(&known) {
        SchemaVersion::Older
    } else {
        SchemaVersion::Newer
    })
}

/// Creates an in-memory SQLite database with the newest schema.
pub(crate) fn newest() -> Result<AnyConn, StorageError> {
    let mut conn = empty()?;
    run(&mut conn, SQLITE).map_err(StorageError::Unavailable)?;
    Ok(AnyConn::Sqlite(conn))
}

/// Creates an in-memory SQLite database with the migrations that another one has applied; `None` where this
/// binary does not know all of them.
pub(crate) fn model(of: &mut AnyConn) -> Result<Option<AnyConn>, StorageError> {
    if schema_version(of)? == SchemaVersion::Newer {
        return Ok(None);
    }
    let rows = sql!("SELECT version FROM __diesel_schema_migrations").rows::<String>(of)?;
    let applied: BTreeSet<String> = rows.into_iter().collect();
    let away = |error: Box<dyn std::error::Error + Send + Sync>| StorageError::Unavailable(error.to_string());
    let known = MigrationSource::<Sqlite>::migrations(&SQLITE).map_err(away)?;
    let mut conn = empty()?;
    for migration in
        known.iter().filter(|migration| applied.contains(&migration.name().version().to_string()))
    {
        conn.run_migration(migration.as_ref()).map_err(away)?;
    }
    Ok(Some(AnyConn::Sqlite(conn)))
}

fn empty() -> Result<SqliteConnection, StorageError> {
    let mut conn = SqliteConnection::establish(":memory:")
        .map_err(|error| StorageError::Unavailable(error.to_string()))?;
    // Creates the table of applied migrations.
    conn.applied_migrations().map_err(|error| StorageError::Unavailable(error.to_string()))?;
    Ok(conn)
}

/// Returns the names of the tables that the migrations create.
pub(crate) fn tables() -> Result<BTreeSet<String>, StorageError> {
    let mut newest = newest()?;
    let names = sql!(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '__diesel_schema_migrations'"
    );
    let names = names.rows::<String>(&mut newest)?;
    Ok(names.into_iter().collect())
}

/// The error for a database from a newer version.
pub const NEWER: &str = "it was made by a newer version of Greenroom";

fn versions<DB: Backend>(migrations: &EmbeddedMigrations) -> Result<BTreeSet<String>, String> {
    let known = MigrationSource::<DB>::migrations(migrations).map_err(|error| error.to_string())?;
    Ok(known.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn run<DB, C>(conn: &mut C, migrations: EmbeddedMigrations) -> Result<Vec<String>, String>
where
    DB: Backend,
    C: MigrationHarness<DB>,
{
    let known = MigrationSource::<DB>::migrations(&migrations).map_err(|error| error.to_string())?;
    let applied = conn.applied_migrations().map_err(|error| error.to_string())?;
    let is_known = |version| known.iter().any(|m| m.name().version() == version);
    if applied.into_iter().any(|version| !is_known(version)) {
        return Err(NEWER.to_owned());
    }
    let ran = conn.run_pending_migrations(migrations).map_err(|error| error.to_string())?;
    let has_run = |version| ran.contains(&version);
    Ok(known.iter().filter(|m| has_run(m.name().version())).map(|m| m.name().to_string()).collect())
}

fn undo<DB, C>(conn: &mut C, migrations: EmbeddedMigrations, names: &[String]) -> Result<(), String>
where
    DB: Backend,
    C: MigrationHarness<DB>,
{
    let mut known = MigrationSource::<DB>::migrations(&migrations).map_err(|error| error.to_string())?;
    known.sort_by(|a, b| b.name().version().cmp(&a.name().version()));
    for migration in known.iter().filter(|migration| names.contains(&migration.name().to_string())) {
        conn.revert_migration(migration.as_ref()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use diesel::{connection::SimpleConnection, migration::MigrationVersion};

    use super::*;

    #[test]
    fn every_migration_can_be_undone_and_done_again() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let first = run(&mut conn, SQLITE).unwrap();
        let undone = conn.revert_all_migrations(SQLITE).unwrap();
        assert_eq!(undone.len(), first.len());
        assert_eq!(run(&mut conn, SQLITE).unwrap(), first);
    }

    #[test]
    fn sent_messages_of_an_older_database_are_counted() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        run(&mut conn, SQLITE).unwrap();
        while conn.applied_migrations().unwrap()[0] >= MigrationVersion::from("20261129000022") {
            conn.revert_last_migration(SQLITE).unwrap();
        }
        // Two users write in turn.
        for (chat, messages) in [(1, 14), (2, 15), (3, 16), (4, 31)] {
            conn.batch_execute(&format!(
                "INSERT INTO chats (id, chat_type, created_at, updated_at, seq, meta_seq, last_pos, last_live_pos, \
                 deleted_count, member_count) VALUES ({chat}, 'group', 1, 1, 99, 1, {messages}, {messages}, 0, 2); \
                 INSERT INTO messages (chat_id, pos, id, sender_id, ordinal, content, created_at, updated_at, is_edited, \
                 is_deleted, created_seq, seq, reactions) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                 WHERE i < {messages}) SELECT {chat}, i, {chat} * 100 + i, i % 2, (i + 1) / 2, 'x', 1, 1, FALSE, FALSE, \
                 i, i, '[]' FROM n"
            ))
            .unwrap();
        }
        run(&mut conn, SQLITE).unwrap();
        let mut conn = AnyConn::Sqlite(conn);
        let rows = sql!("SELECT chat_id, block, sender_id, sent FROM sent_counts ORDER BY 1, 2, 3");
        let counts = rows.rows::<(i64, i64, i64, i64)>(&mut conn).unwrap();
        let expected = [
            (2, 0, 0, 7),
            (2, 0, 1, 8),
            (3, 0, 0, 7),
            (3, 0, 1, 8),
            (4, 0, 0, 7),
            (4, 0, 1, 8),
            (4, 1, 0, 15),
            (4, 1, 1, 16),
        ];
        assert_eq!(counts, expected);
    }
}
