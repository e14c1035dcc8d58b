//! Database URLs, and how to open a connection to one.

use std::{io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

use diesel::{Connection, connection::SimpleConnection, pg::PgConnection, sqlite::SqliteConnection};

use super::{
    conn::{Access, AnyConn},
    error::{OpenError, StorageError},
    holders::{Holder, holders},
    pooling,
    session::{prefer_keys, set_up_postgres, set_up_sqlite},
    vfs,
};
use crate::core::files;

/// A parsed database URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The path of a SQLite file.
    Sqlite(String),
    /// A whole `postgres://` URL.
    Postgres(String),
}

impl DatabaseUrl {
    /// Parses `sqlite://path` or `postgres://...`.
    pub fn parse(url: &str) -> Result<Self, String> {
        match url.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() && path != ":memory:" => {
                Ok(Self::Sqlite(path.to_owned()))
            }
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => Ok(Self::Postgres(url.to_owned())),
            _ => Err("give sqlite://FILE or postgres://USER@HOST/DATABASE".to_owned()),
        }
    }

    /// Returns the database's name for messages, without a password.
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => path.clone(),
            Self::Postgres(url) => without_password(url),
        }
    }

    /// Fails where the SQLite file does not exist. Opening would create it.
    pub fn expect_exists(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(path) if !Path::new(path).exists() => {
                Err(OpenError::new(path, "there is no such file"))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a server or another process has the SQLite file open. Always false for PostgreSQL,
    /// where it is unknown.
    pub fn is_used(&self) -> bool {
        let Self::Sqlite(path) = self else { return false };
        if self.expect_exists().is_err() {
            return false;
        }
        let alone = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK";
        let Ok(mut conn) = SqliteConnection::establish(path) else { return false };
        let locked = conn.batch_execute(alone).map_err(StorageError::from);
        matches!(locked, Err(StorageError::Unavailable(reason)) if reason.contains("locked"))
    }

    /// Returns the other processes that have the SQLite file open, as far as they are visible.
    pub fn holders(&self) -> Vec<Holder> {
        match self {
            Self::Sqlite(path) => holders(path),
            Self::Postgres(_) => Vec::new(),
        }
    }

    /// Opens a connection for serving clients, whose queries all use indexes.
    pub fn open_to_serve(&self, access: Access) -> Result<AnyConn, OpenError> {
        let mut conn = self.open(access)?;
        prefer_keys(&mut conn).map_err(|error| OpenError::new(&self.name(), error))?;
        Ok(conn)
    }

    /// Opens a connection. A SQLite connection for reading rejects writes.
    pub fn open(&self, access: Access) -> Result<AnyConn, OpenError> {
        match self {
            Self::Sqlite(path) => {
                prepare_file(path).map_err(|error| OpenError::new(path, error))?;
                vfs::register().map_err(|code| {
                    OpenError::new(path, format!("SQLite rejected the VFS with code {code}"))
                })?;
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
                // Before any setting that would remain in a session of the pooler.
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

/// Suffixes of the files that SQLite creates beside a database.
pub const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Creates the file if it does not exist. SQLite would follow a link and use the process's umask; files
/// beside it get the mode of the file. An existing file is not opened, since closing it would release
/// SQLite's locks.
fn prepare_file(path: &str) -> std::io::Result<()> {
    let file = Path::new(path);
    if path.starts_with("file:") {
        return Ok(());
    }
    match std::fs::metadata(file) {
        Ok(found) if found.is_file() => return Ok(()),
        Ok(_) => return Err(std::io::Error::other("it is no file")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for companion in COMPANIONS.map(|suffix| format!("{path}{suffix}")) {
        // Left by a database that was deleted: SQLite would write into it.
        let left = std::fs::symlink_metadata(&companion);
        if left.is_ok_and(|left| !left.is_file() || left.mode() & 0o077 != 0) {
            std::fs::remove_file(&companion)?;
        }
    }
    match files::create_new(file) {
        // Another process has created it first, or it is a link.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match file.is_file() {
            true => Ok(()),
            false => Err(std::io::Error::other("it is a link that leads nowhere")),
        },
        made => made.map(drop),
    }
}

/// Timeouts in seconds or milliseconds. A server that does not answer must not block a thread for TCP's
/// minutes.
const TIME_LIMITS: [(&str, &str); 4] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "5000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
];

/// Adds the timeouts that the URL does not set itself.
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

/// Parameters of a URL that are secret.
const SECRETS: [&str; 2] = ["password=", "sslpassword="];

fn without_password(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return "the database".to_owned() };
    let _ = url.set_password(None);
    if let Some(query) = url.query() {
        let is_secret = |pair: &&str| SECRETS.iter().any(|name| pair.starts_with(name));
        let shown: Vec<_> = query.split('&').filter(|pair| !is_secret(pair)).collect();
        let shown = Some(shown.join("&")).filter(|query| !query.is_empty());
        url.set_query(shown.as_deref());
    }
    url.into()
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
    fn a_name_has_no_password() {
        let name = |url: &str| DatabaseUrl::parse(url).unwrap().name();
        assert_eq!(name("postgres://u:secret@h/d?sslmode=require"), "postgres://u@h/d?sslmode=require");
        assert_eq!(name("postgres://h/d?password=secret&sslmode=require"), "postgres://h/d?sslmode=require");
        assert_eq!(name("postgres://h/d?sslpassword=secret"), "postgres://h/d");
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
