//! The schema's history, embedded in the binary.

use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Access, AnyConn, DatabaseUrl, conn::lock_schema, error::OpenError};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Opens the database, making it where there is none, and brings its schema up to date. Returns the names of the
/// migrations that ran. A database from a newer Greenroom is left alone.
pub fn migrate(url: &DatabaseUrl) -> Result<Vec<String>, OpenError> {
    let mut conn = url.open(Access::Write)?;
    lock_schema(&mut conn).map_err(|error| OpenError::new(&url.name(), error))?;
    let ran = match &mut conn {
        AnyConn::Sqlite(conn) => run(conn, SQLITE),
        AnyConn::Postgres(conn) => run(conn, POSTGRES),
    };
    ran.map_err(|reason| OpenError::new(&url.name(), reason))
}

fn run<DB, C>(conn: &mut C, migrations: EmbeddedMigrations) -> Result<Vec<String>, String>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
{
    let known = diesel::migration::MigrationSource::<DB>::migrations(&migrations)
        .map_err(|error| error.to_string())?;
    let applied = conn.applied_migrations().map_err(|error| error.to_string())?;
    let is_known = |version| known.iter().any(|m| m.name().version() == version);
    if applied.into_iter().any(|version| !is_known(version)) {
        return Err("it was made by a newer version of Greenroom".to_owned());
    }
    let ran = conn.run_pending_migrations(migrations).map_err(|error| error.to_string())?;
    let has_run = |version| ran.contains(&version);
    Ok(known.iter().filter(|m| has_run(m.name().version())).map(|m| m.name().to_string()).collect())
}

#[cfg(test)]
mod tests {
    use diesel::{Connection, sqlite::SqliteConnection};

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
