//! A SQLite file is served by one process at a time: another would neither hear of what happens there nor tell.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use crate::{
    core::files,
    storage::{DatabaseUrl, OpenError},
};

/// Whether a server is serving a SQLite file.
pub fn is_served(path: &str) -> bool {
    let lock = files::open(Path::new(&format!("{path}-serving"))).ok().flatten();
    lock.is_some_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// The right to serve a database, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Exclusive(#[allow(dead_code)] Option<File>);

impl Exclusive {
    /// Takes the right to serve a SQLite file; PostgreSQL has room for many.
    pub fn take(url: &DatabaseUrl) -> Result<Self, OpenError> {
        let DatabaseUrl::Sqlite(path) = url else { return Ok(Self(None)) };
        // Not the file itself: SQLite loses its own locks when another handle on it is closed.
        let lock = format!("{path}-serving");
        let file = files::open_or_make(Path::new(&lock));
        let file = file.map_err(|error| OpenError::new(&lock, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => Err(OpenError::new(
                path,
                "another server is serving it; for more than one, use PostgreSQL (--database-url postgres://...)",
            )),
            // A file system without locks.
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, "it cannot be told whether another server is serving {path}");
                Ok(Self(None))
            }
        }
    }
}

impl DatabaseUrl {
    /// Whether a server is serving the SQLite file.
    pub fn is_served(&self) -> bool {
        matches!(self, Self::Sqlite(path) if is_served(path))
    }
}
