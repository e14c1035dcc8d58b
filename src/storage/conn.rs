//! A connection to either database, chosen by the URL, set up as Greenroom needs it.

use std::{io::ErrorKind, os::unix::fs::MetadataExt, path::Path, time::Duration};

use diesel::{
    Connection, MultiConnection, connection::SimpleConnection, pg::PgConnection, result::DatabaseErrorKind,
    sqlite::SqliteConnection,
};

use super::{
    error::{OpenError, StorageError},
    exclusive,
    holders::{Holder, holders},
    pooling,
    sql::sql,
};
use crate::files;

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

/// How long SQLite waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a statement of PostgreSQL's waits for rows that others have locked.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long PostgreSQL waits for the next statement of a transaction that writes before it ends it: a paused process must
/// not keep others from the rows that it has locked.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// Names the lock of who brings the schema up to date among PostgreSQL's advisory locks.
const MIGRATING: i64 = 0x6772_6565_6e02;

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

    /// Whether a server, or anybody else, has the SQLite file open. Of PostgreSQL nothing is known.
    pub fn is_used(&self) -> bool {
        let Self::Sqlite(path) = self else { return false };
        if self.expect_there().is_err() {
            return false;
        }
        let alone = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK";
        let Ok(mut conn) = SqliteConnection::establish(path) else { return false };
        let locked = conn.batch_execute(alone).map_err(StorageError::from);
        matches!(locked, Err(StorageError::Away(reason)) if reason.contains("locked"))
    }

    /// Whether a server is serving the SQLite file.
    pub fn is_served(&self) -> bool {
        matches!(self, Self::Sqlite(path) if exclusive::is_served(path))
    }

    /// The other processes that have the SQLite file open, as far as they can be seen.
    pub fn holders(&self) -> Vec<Holder> {
        match self {
            Self::Sqlite(path) => holders(path),
            Self::Postgres(_) => Vec::new(),
        }
    }

    /// Opens a connection to serve clients with: all that is asked there has indexes of its own.
    pub fn open_to_serve(&self, access: Access) -> Result<AnyConn, OpenError> {
        let mut conn = self.open(access)?;
        prefer_keys(&mut conn).map_err(|error| OpenError::new(&self.name(), error))?;
        Ok(conn)
    }

    /// Opens a connection. Readers may not write, which SQLite then enforces.
    pub fn open(&self, access: Access) -> Result<AnyConn, OpenError> {
        match self {
            Self::Sqlite(path) => {
                prepare_file(path).map_err(|error| OpenError::new(path, error))?;
                let conn = SqliteConnection::establish(path).map_err(|error| OpenError::new(path, error))?;
                let mut conn = AnyConn::Sqlite(conn);
                set_up_sqlite(&mut conn, access).map_err(|error| OpenError::new(path, error))?;
                Ok(conn)
            }
            Self::Postgres(url) => {
                let name = without_password(url);
                let limited = with_time_limits(url);
                let mut conn =
                    PgConnection::establish(&limited).map_err(|error| OpenError::new(&name, error))?;
                // Before anything is said that would stay in a session of the pooler's.
                if !pooling::keeps_sessions(&mut conn, &limited) {
                    return Err(OpenError::new(&name, pooling::NO_SESSIONS));
                }
                let mut conn = AnyConn::Postgres(conn);
                set_up_postgres(&mut conn, access).map_err(|error| OpenError::new(&name, error))?;
                Ok(conn)
            }
        }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// What SQLite keeps beside a database, by the end of its name.
pub const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Makes the file where there is none. SQLite would follow a link, and take the mode from the process; what it keeps
/// beside the file has the file's mode. One that is there is not opened: SQLite would lose its locks by that.
fn prepare_file(path: &str) -> std::io::Result<()> {
    let place = Path::new(path);
    if path.starts_with("file:") {
        return Ok(());
    }
    match std::fs::metadata(place) {
        Ok(there) if there.is_file() => return Ok(()),
        Ok(_) => return Err(std::io::Error::other("it is no file")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for companion in COMPANIONS.map(|suffix| format!("{path}{suffix}")) {
        // Of a database that has gone: SQLite would write into it.
        let left = std::fs::symlink_metadata(&companion);
        if left.is_ok_and(|left| !left.is_file() || left.mode() & 0o077 != 0) {
            std::fs::remove_file(&companion)?;
        }
    }
    match files::make(place) {
        // Another process was faster, or it is a link.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match place.is_file() {
            true => Ok(()),
            false => Err(std::io::Error::other("it is a link that leads nowhere")),
        },
        made => made.map(drop),
    }
}

fn set_up_sqlite(conn: &mut AnyConn, access: Access) -> Result<(), diesel::result::Error> {
    // What the file itself says to carry out may have come from anybody.
    conn.batch_execute("PRAGMA trusted_schema = OFF")?;
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
    // What is deleted is overwritten with zeros.
    conn.batch_execute("PRAGMA secure_delete = ON")?;
    if access == Access::Read {
        conn.batch_execute("PRAGMA query_only = ON")?;
    }
    Ok(())
}

/// In seconds, or milliseconds: a server that does not answer must not hold up a thread for the minutes that TCP waits.
const TIME_LIMITS: [(&str, &str); 4] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "5000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
];

/// The URL with those time limits that it does not name itself.
fn with_time_limits(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in TIME_LIMITS {
        if !url.contains(&format!("{name}=")) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{separator}{name}={value}"));
        }
    }
    url
}

fn set_up_postgres(conn: &mut AnyConn, access: Access) -> Result<(), diesel::result::Error> {
    no_time_limits(conn)?;
    // Some errors are known by their words only. Not everybody may set this; who may not is told by `speaks_english`.
    let _ = conn.batch_execute("SET lc_messages = 'C'");
    // Notices would go to standard error, past the log.
    conn.batch_execute("SET client_min_messages = error")?;
    match access {
        Access::Write => {
            let (lock, idle) = (LOCK_TIMEOUT.as_millis(), IDLE_TIMEOUT.as_millis());
            conn.batch_execute(&format!(
                "SET lock_timeout = {lock}; SET idle_in_transaction_session_timeout = {idle}"
            ))?;
            // An answered write must survive a power cut, whatever the database's default is.
            conn.batch_execute(
                "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
            )
        }
        Access::Read => conn.batch_execute("SET default_transaction_read_only = on"),
    }
}

/// Ends the time limits that a role or a database sets for what connects. Older versions do not know all of them.
fn no_time_limits(conn: &mut AnyConn) -> Result<(), diesel::result::Error> {
    conn.batch_execute("SET statement_timeout = 0")?;
    conn.batch_execute("SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")?;
    conn.batch_execute(
        "SELECT set_config(name, '0', false) FROM pg_settings \
         WHERE name IN ('transaction_timeout', 'idle_session_timeout')",
    )
}

/// Whether errors that are known by their words only will be.
pub(super) fn speaks_english(conn: &mut AnyConn) -> Result<bool, diesel::result::Error> {
    let language = match conn {
        AnyConn::Sqlite(_) => return Ok(true),
        AnyConn::Postgres(_) => sql!("SELECT current_setting('lc_messages')").one::<(String,)>(conn)?.0,
    };
    Ok(["", "C", "POSIX"].contains(&language.as_str())
        || language.starts_with("C.")
        || language.starts_with("en"))
}

/// Has PostgreSQL find every row by an index, in a plan that is made once. It would else plan each statement anew, or by
/// statistics that are out of date walk through a whole table.
fn prefer_keys(conn: &mut AnyConn) -> Result<(), diesel::result::Error> {
    match conn {
        AnyConn::Sqlite(_) => Ok(()),
        AnyConn::Postgres(_) => conn.batch_execute(
            "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; \
             SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off",
        ),
    }
}

/// Has PostgreSQL end a statement that takes longer.
pub(super) fn limit_statements(conn: &mut AnyConn, limit: Duration) -> Result<(), diesel::result::Error> {
    match conn {
        AnyConn::Sqlite(_) => Ok(()),
        AnyConn::Postgres(_) => conn.batch_execute(&format!("SET statement_timeout = {}", limit.as_millis())),
    }
}

fn without_password(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return "the database".to_owned() };
    let _ = url.set_password(None);
    url.into()
}

/// How often what another transaction was in the way of is tried.
pub(super) const TRIES: usize = 3;

/// Does `work` in one transaction that may write: all of it is durable afterwards, or nothing happened. It may be called
/// again, where another transaction was in the way.
pub fn transaction<T>(
    conn: &mut AnyConn,
    mut work: impl FnMut(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    for _ in 1..TRIES {
        match attempt(conn, &mut work) {
            Err(StorageError::Clashed(_)) => {}
            done => return done,
        }
    }
    attempt(conn, &mut work)
}

fn attempt<T>(
    conn: &mut AnyConn,
    work: &mut impl FnMut(&mut AnyConn) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    begin(conn)?;
    match work(conn) {
        Ok(value) => {
            commit(conn)?;
            Ok(value)
        }
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

/// Begins a transaction that may write. On SQLite it is the only one in the database. On PostgreSQL others write as well:
/// what is decided in it holds where the rows that it depends on have been locked (see `locks`).
pub(super) fn begin(conn: &mut AnyConn) -> Result<(), StorageError> {
    Ok(conn.batch_execute(match conn {
        // SQLite's plain BEGIN takes the write lock too late to wait for it.
        AnyConn::Sqlite(_) => "BEGIN IMMEDIATE",
        AnyConn::Postgres(_) => BEGIN,
    })?)
}

/// Each statement sees what was committed before it began, and so all that it waited for.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

pub(super) fn commit(conn: &mut AnyConn) -> Result<(), StorageError> {
    let text = match conn {
        AnyConn::Sqlite(_) => "COMMIT",
        // PostgreSQL answers COMMIT with success where a statement has failed before, and stores nothing. Any other
        // statement fails then, and what follows it is not carried out.
        AnyConn::Postgres(_) => "SELECT 1; COMMIT",
    };
    if let Err(error) = conn.batch_execute(text) {
        roll_back(conn);
        return Err(error.into());
    }
    Ok(())
}

/// How often it is tried to take the lock of who brings the schema up to date.
const TRY_EVERY: Duration = Duration::from_millis(200);

/// Keeps other processes from bringing the schema up to date until this connection is closed. SQLite needs no help. Where
/// another process has to be waited for, `waits` is called with what is known of it.
pub(super) fn lock_schema(conn: &mut AnyConn, waits: &dyn Fn(String)) -> Result<(), diesel::result::Error> {
    if matches!(conn, AnyConn::Sqlite(_)) {
        return Ok(());
    }
    // Another process may take its time; each of its statements has a limit.
    conn.batch_execute("SET lock_timeout = 0")?;
    let mut has_waited = false;
    while !sql!("SELECT pg_try_advisory_lock(?)", MIGRATING).one::<(bool,)>(conn)?.0 {
        if !has_waited {
            waits(migrating(conn)?);
            has_waited = true;
        }
        std::thread::sleep(TRY_EVERY);
    }
    Ok(())
}

/// Names PostgreSQL's process for who brings the schema up to date, if there still is one.
fn migrating(conn: &mut AnyConn) -> Result<String, diesel::result::Error> {
    let holder = sql!(
        "SELECT CAST(pid AS bigint) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
         AND (CAST(classid AS bigint) << 32) + CAST(objid AS bigint) = ? \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        MIGRATING
    );
    let holder = holder.rows::<(i64,)>(conn)?;
    Ok(holder.first().map_or_else(String::new, |(pid,)| format!(" (process {pid} of PostgreSQL)")))
}

/// Whether the connection is of no use any more. A lost connection shows only once it is used.
pub(super) fn is_lost(conn: &mut AnyConn) -> bool {
    match conn {
        AnyConn::Sqlite(_) => false,
        AnyConn::Postgres(conn) => matches!(
            conn.batch_execute("SELECT 1"),
            Err(diesel::result::Error::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                _
            ))
        ),
    }
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

    #[test]
    fn time_limits_in_a_url_are_kept() {
        let url = with_time_limits("postgres://u@h/d?connect_timeout=9");
        assert_eq!(
            url,
            "postgres://u@h/d?connect_timeout=9&tcp_user_timeout=5000&keepalives_idle=5&keepalives_interval=2"
        );
        assert!(with_time_limits("postgres://u@h/d").starts_with("postgres://u@h/d?connect_timeout=2&"));
    }
}
