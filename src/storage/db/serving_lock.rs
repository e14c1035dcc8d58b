//! The serving lock: only one process serves a SQLite file, since two would not receive each other's events.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use crate::{
    core::files,
    storage::{DatabaseUrl, OpenError},
};

/// Returns whether a server is serving a SQLite file.
pub fn is_served(path: &str) -> bool {
    let lock = files::open(Path::new(&format!("{path}-serving"))).ok().flatten();
    lock.is_some_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Exclusive lock on serving a database, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct ServingLock(#[allow(dead_code, reason = "only its drop matters")] Option<File>);

impl ServingLock {
    /// Takes the lock for a SQLite file. PostgreSQL needs none, as several servers may share it.
    pub fn take(url: &DatabaseUrl) -> Result<Self, OpenError> {
        let DatabaseUrl::Sqlite(path) = url else { return Ok(Self(None)) };
        // Not the file itself: SQLite loses its own locks when another handle on it is closed.
        let lock = format!("{path}-serving");
        let file = files::open_or_create(Path::new(&lock));
        let file = file.map_err(|error| OpenError::new(&lock, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => Err(OpenError::new(
                path,
                "another server is serving it; for more than one, use PostgreSQL (--database-url postgres://...)",
            )),
            // The file system does not support locks.
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, "file locking unsupported; cannot detect a second server for {path}");
                Ok(Self(None))
            }
        }
    }
}

impl DatabaseUrl {
    /// Returns whether a server is serving the SQLite file.
    pub fn is_served(&self) -> bool {
        matches!(self, Self::Sqlite(path) if is_served(path))
    }
}
