//! The schema's history, embedded in the binary.

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

/// Opens the database, making it where there is none, and brings its schema up to date. Returns the names of the
/// migrations that ran. A database from a newer Greenroom is left alone.
pub fn migrate(url: &DatabaseUrl) -> Result<Vec<String>, OpenError> {
    migrate_telling(url, &|_| {})
}

/// The same; `tell` is called with what it waits for, once it has to.
pub fn migrate_telling(url: &DatabaseUrl, tell: &dyn Fn(String)) -> Result<Vec<String>, OpenError> {
    let name = url.name();
    let mut conn = url.open(Access::Write)?;
    let waits = |holder| tell(format!("another process that brings the schema of {name} up to date{holder}"));
    lock_schema(&mut conn, &waits).map_err(|error| OpenError::new(&name, error))?;
    let ran = match &mut conn {
        AnyConn::Sqlite(conn) => run(conn, SQLITE),
        AnyConn::Postgres(conn) => run(conn, POSTGRES),
    };
    ran.map_err(|reason| OpenError::new(&name, reason))
}

/// How a database's schema stands to the one that this binary makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Older,
    Same,
    Newer,
}

/// Compares schemas. Fails where the database is not Greenroom's.
pub fn standing(conn: &mut AnyConn) -> Result<Standing, StorageError> {
    let known = match conn {
        AnyConn::Sqlite(_) => versions::<Sqlite>(&SQLITE),
        AnyConn::Postgres(_) => versions::<Pg>(&POSTGRES),
    };
    let known = known.map_err(StorageError::Away)?;
    let rows = sql!("SELECT version FROM __diesel_schema_migrations").rows::<(String,)>(conn);
    let foreign = |error| StorageError::Away(format!("it is no database of Greenroom's: {error}"));
    let applied: BTreeSet<String> = rows.map_err(foreign)?.into_iter().map(|(version,)| version).collect();
    Ok(if applied == known {
        Standing::Same
    } else if applied.is_subset(&known) {
        Standing::Older
    } else {
        Standing::Newer
    })
}

/// An empty SQLite database with the newest schema.
pub(crate) fn newest() -> Result<AnyConn, StorageError> {
    let mut conn = empty()?;
    run(&mut conn, SQLITE).map_err(StorageError::Away)?;
    Ok(AnyConn::Sqlite(conn))
}

/// An empty SQLite database with the migrations that have run in another one; `None` where some of them are not known.
pub(crate) fn model(of: &mut AnyConn) -> Result<Option<AnyConn>, StorageError> {
    if standing(of)? == Standing::Newer {
        return Ok(None);
    }
    let rows = sql!("SELECT version FROM __diesel_schema_migrations").rows::<(String,)>(of)?;
    let applied: BTreeSet<String> = rows.into_iter().map(|(version,)| version).collect();
    let away = |error: Box<dyn std::error::Error + Send + Sync>| StorageError::Away(error.to_string());
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
    let mut conn =
        SqliteConnection::establish(":memory:").map_err(|error| StorageError::Away(error.to_string()))?;
    // What notes the migrations.
    conn.applied_migrations().map_err(|error| StorageError::Away(error.to_string()))?;
    Ok(conn)
}

/// The names of the tables that all migrations together make.
pub(crate) fn tables() -> Result<BTreeSet<String>, StorageError> {
    let mut newest = newest()?;
    let names = sql!(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '__diesel_schema_migrations'"
    );
    let names = names.rows::<(String,)>(&mut newest)?;
    Ok(names.into_iter().map(|(name,)| name).collect())
}

/// What to say of a database from a later time.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_can_be_undone_and_done_again() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let first = run(&mut conn, SQLITE).unwrap();
        let undone = conn.revert_all_migrations(SQLITE).unwrap();
        assert_eq!(undone.len(), first.len());
        assert_eq!(run(&mut conn, SQLITE).unwrap(), first);
    }
}
