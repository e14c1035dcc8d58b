//! A connection to either database, chosen by the URL, set up as Greenroom needs it.

use std::time::Duration;

use diesel::{
    Connection, MultiConnection, connection::SimpleConnection, pg::PgConnection, sqlite::SqliteConnection,
};

use super::error::{OpenError, StorageError};

/// A connection to SQLite or to PostgreSQL.
#[derive(MultiConnection)]
pub enum AnyConn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Which database a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The path of a SQLite file.
    Sqlite(String),
    /// A whole `postgres://` URL.
    Postgres(String),
}

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl DatabaseUrl {
    /// Reads `sqlite://path` or `postgres://...`.
    pub fn parse(url: &str) -> Result<Self, String> {
        match url.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() && path != ":memory:" => {
                Ok(Self::Sqlite(path.to_owned()))
            }
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => Ok(Self::Postgres(url.to_owned())),
            _ => Err("give sqlite://FILE or postgres://USER@HOST/DATABASE".to_owned()),
        }
    }

    /// The database's name in messages to people: no password in it.
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => path.clone(),
            Self::Postgres(url) => without_password(url),
        }
    }

    /// Fails where there is no such database, which opening it would make.
    pub fn expect_there(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(path) if !std::path::Path::new(path).exists() => {
                Err(OpenError::new(path, "there is no such file"))
            }
            _ => Ok(()),
        }
    }

    /// Opens a connection. Readers may not write, which SQLite then enforces.
    pub fn open(&self, access: Access) -> Result<AnyConn, OpenError> {
        match self {
            Self::Sqlite(path) => {
                let conn = SqliteConnection::establish(path).map_err(|error| OpenError::new(path, error))?;
                let mut conn = AnyConn::Sqlite(conn);
                set_up_sqlite(&mut conn, access).map_err(|error| OpenError::new(path, error))?;
                Ok(conn)
            }
            Self::Postgres(url) => PgConnection::establish(url)
                .map(AnyConn::Postgres)
                .map_err(|error| OpenError::new(&without_password(url), error)),
        }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

fn set_up_sqlite(conn: &mut AnyConn, access: Access) -> Result<(), diesel::result::Error> {
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()))?;
    conn.batch_execute("PRAGMA journal_mode = WAL")?;
    // An answered write must survive a power cut; group commit pays for it.
    conn.batch_execute("PRAGMA synchronous = FULL")?;
    conn.batch_execute("PRAGMA foreign_keys = ON")?;
    // In pages. A page that many commits touch is copied back once per checkpoint, so seldom is cheap; more than this
    // would make the start after a crash slow.
    conn.batch_execute("PRAGMA wal_autocheckpoint = 8192")?;
    conn.batch_execute("PRAGMA cache_size = -16384")?;
    conn.batch_execute("PRAGMA temp_store = MEMORY")?;
    if access == Access::Read {
        conn.batch_execute("PRAGMA query_only = ON")?;
    }
    Ok(())
}

fn without_password(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return "the database".to_owned() };
    let _ = url.set_password(None);
    url.into()
}

/// Does `work` in one transaction that may write: all of it is durable afterwards, or nothing happened.
pub fn transaction<T>(
    conn: &mut AnyConn,
    work: impl FnOnce(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    begin(conn)?;
    match work(conn) {
        Ok(value) => commit(conn).map(|()| value),
        Err(error) => {
            roll_back(conn);
            Err(error)
        }
    }
}

/// Does `work` on one consistent view of the database.
pub fn snapshot<T>(
    conn: &mut AnyConn,
    work: impl FnOnce(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    match conn {
        AnyConn::Sqlite(_) => conn.batch_execute("BEGIN DEFERRED")?,
        AnyConn::Postgres(_) => conn.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?,
    }
    let result = work(conn);
    roll_back(conn);
    result
}

pub(super) fn begin(conn: &mut AnyConn) -> Result<(), StorageError> {
    // SQLite's plain BEGIN takes the write lock too late to wait for it.
    let text = match conn {
        AnyConn::Sqlite(_) => "BEGIN IMMEDIATE",
        AnyConn::Postgres(_) => "BEGIN",
    };
    Ok(conn.batch_execute(text)?)
}

pub(super) fn commit(conn: &mut AnyConn) -> Result<(), StorageError> {
    if let Err(error) = conn.batch_execute("COMMIT") {
        roll_back(conn);
        return Err(error.into());
    }
    Ok(())
}

/// Ends a transaction without a trace. A failure means that there was none left to end.
pub(super) fn roll_back(conn: &mut AnyConn) {
    let _ = conn.batch_execute("ROLLBACK");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_the_database() {
        assert_eq!(DatabaseUrl::parse("sqlite://a/b.db"), Ok(DatabaseUrl::Sqlite("a/b.db".into())));
        let postgres = "postgres://u@h/d".to_owned();
        assert_eq!(DatabaseUrl::parse(&postgres), Ok(DatabaseUrl::Postgres(postgres)));
        for bad in ["", "sqlite://", "mysql://x", "greenroom.db"] {
            assert!(DatabaseUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
