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
                let mut conn = PgConnection::establish(&limited)
                    .map_err(|error| OpenError::new(&name, without_secrets(url, &error)))?;
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
    let mut has_query = UrlParts::of(url).query.is_some();
    let mut url = url.to_owned();
    for (name, value) in TIME_LIMITS {
        if !url.contains(&format!("{name}=")) {
            let separator = if has_query { '&' } else { '?' };
            url.push_str(&format!("{separator}{name}={value}"));
            has_query = true;
        }
    }
    url
}

/// Parameters of a URL that are secret.
const SECRETS: [&str; 5] =
    ["password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"];

/// The parts of a `postgres://` URL, as libpq splits it. That differs from other URLs: a password may contain `#` and
/// `?`, and there are no fragments.
struct UrlParts<'a> {
    scheme: &'a str,
    user: Option<&'a str>,
    password: Option<&'a str>,
    /// Hosts, ports and the database.
    place: &'a str,
    query: Option<&'a str>,
}

impl<'a> UrlParts<'a> {
    fn of(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
        let end = rest.find(['@', '/']).filter(|end| rest.as_bytes()[*end] == b'@');
        let (login, rest) = end.map_or((None, rest), |end| (Some(&rest[..end]), &rest[end + 1..]));
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            None => (None, None),
            Some((user, password)) => (Some(user), Some(password).filter(|password| !password.is_empty())),
        };
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        Self { scheme, user, password, place, query }
    }

    /// Returns the parameters, each as it is written, and whether it is secret.
    fn parameters(&self) -> impl Iterator<Item = (&'a str, bool)> {
        self.query.into_iter().flat_map(|query| query.split('&')).map(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            (pair, SECRETS.contains(&decoded(name).as_str()))
        })
    }

    /// Returns the secrets of the URL, as they are written and decoded.
    fn secrets(&self) -> Vec<String> {
        let of_query = self.parameters().filter(|(_, is_secret)| *is_secret);
        let of_query = of_query.filter_map(|(pair, _)| pair.split_once('=').map(|(_, value)| value));
        let written: Vec<&str> = self.password.into_iter().chain(of_query).collect();
        let both = written.into_iter().flat_map(|secret| [secret.to_owned(), decoded(secret)]);
        both.filter(|secret| !secret.is_empty()).collect()
    }
}

/// Decodes `%41` and the like.
fn decoded(text: &str) -> String {
    // In forms a plus would be a space.
    let text = text.replace('+', "%2B");
    let pair = format!("={text}").replace('&', "%26");
    url::form_urlencoded::parse(pair.as_bytes())
        .map(|(_, value)| value.into_owned())
        .next()
        .unwrap_or_default()
}

fn without_password(url: &str) -> String {
    let parts = UrlParts::of(url);
    let user = parts.user.map(|user| format!("{user}@")).unwrap_or_default();
    let shown: Vec<&str> =
        parts.parameters().filter(|(_, is_secret)| !is_secret).map(|(pair, _)| pair).collect();
    let query = if shown.is_empty() { String::new() } else { format!("?{}", shown.join("&")) };
    format!("{}://{user}{}{query}", parts.scheme, parts.place)
}

/// Removes the secrets of a URL from an error of libpq, which shows a part that it cannot decode.
fn without_secrets(url: &str, error: &impl std::fmt::Display) -> String {
    let reason = error.to_string();
    UrlParts::of(url).secrets().iter().fold(reason, |reason, secret| reason.replace(secret.as_str(), "..."))
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
        // As libpq reads them.
        for (url, shown) in [
            ("postgres://u:9#secret@h/d", "postgres://u@h/d"),
            ("postgres://u:#secret?x=y@h/d?a=b", "postgres://u@h/d?a=b"),
            ("postgres://h/d?p%61ssword=secret&a=b", "postgres://h/d?a=b"),
            ("postgres://h/d?options=x#&password=secret", "postgres://h/d?options=x#"),
            ("postgres://u@h:5432,i/d?scram_client_key=secret", "postgres://u@h:5432,i/d"),
            ("postgres:///d?host=/run/postgresql", "postgres:///d?host=/run/postgresql"),
            ("postgres://u@/d", "postgres://u@/d"),
            ("postgres://[::1]/d", "postgres://[::1]/d"),
        ] {
            assert_eq!(name(url), shown);
        }
    }

    #[test]
    fn errors_of_libpq_have_no_password() {
        for url in [
            "postgres://u:sec%zzret@h/d",
            "postgres://u:sec ret@h/d",
            "postgres://u:sec%00ret@h/d",
            "postgres://u:secret@[::1/d",
            "postgres://h/d?password=sec%zzret",
            "postgres://h/d?sslpassword=sec%zzret",
        ] {
            let error = DatabaseUrl::parse(url).unwrap().open(Access::Read).err().unwrap().to_string();
            assert!(!error.contains("ret"), "{error}");
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
        assert!(
            with_time_limits("postgres://u:a?b@h/d").starts_with("postgres://u:a?b@h/d?connect_timeout=2&")
        );
    }
}
