//! Storage errors.

use diesel::result::{DatabaseErrorKind, Error};

use crate::core::model::{FieldErrors, Refusal};

/// Why a storage operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The request was refused; the database is fine.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The database is unreachable, full, or stayed locked. A later retry may succeed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Conflict with another transaction that has finished. An immediate retry may succeed or be refused.
    #[error("conflict with another transaction: {0}")]
    Conflict(Error),
    /// Timeout while waiting for a lock of another transaction.
    #[error("timed out waiting for a lock: {0}")]
    Locked(String),
    /// Any other error: a bug, or a damaged database.
    #[error("database error: {0}")]
    Failed(Error),
}

impl From<Refusal> for StorageError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<FieldErrors> for StorageError {
    fn from(errors: FieldErrors) -> Self {
        Self::Refused(errors.into())
    }
}

impl From<Error> for StorageError {
    fn from(error: Error) -> Self {
        use DatabaseErrorKind::{
            ClosedConnection, ReadOnlyTransaction, SerializationFailure, UnableToSendCommand, UniqueViolation,
        };
        let Error::DatabaseError(kind, info) = &error else { return Self::Failed(error) };
        let message = info.message().trim_end();
        match kind {
            UniqueViolation | SerializationFailure => Self::Conflict(error),
            ClosedConnection | UnableToSendCommand | ReadOnlyTransaction => {
                Self::Unavailable(message.to_owned())
            }
            _ if message.contains(DEADLOCK) => Self::Conflict(error),
            _ if message.contains(LOCK_TIMEOUT) => Self::Locked(message.to_owned()),
            _ if is_passing(message) => Self::Unavailable(message.to_owned()),
            _ => Self::Failed(error),
        }
    }
}

impl StorageError {
    /// Returns the refusal for the caller. Logs errors of the database, once.
    pub fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Unavailable(why) => {
                tracing::error!(why, "database unavailable; refusing the request");
                Refusal::StorageAway
            }
            Self::Locked(why) => {
                tracing::warn!(why, "timed out waiting for a database lock; refusing the request as busy");
                Refusal::Busy
            }
            Self::Conflict(error) if !is_unique_violation(&error) => {
                tracing::warn!(%error, "gave up after repeated transaction conflicts; refusing the request as busy");
                Refusal::Busy
            }
            // A unique violation that persists after retries is a bug.
            Self::Conflict(error) | Self::Failed(error) => {
                tracing::error!(%error, "database error; the request fails");
                Refusal::Internal
            }
        }
    }
}

fn is_unique_violation(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

// diesel does not expose error codes for these. PostgreSQL is set to English messages (see `session`).

/// Text of the error of a transaction that PostgreSQL ended to break a deadlock.
const DEADLOCK: &str = "deadlock detected";

/// Text of the error of a statement whose lock timeout passed.
const LOCK_TIMEOUT: &str = "due to lock timeout";

/// Returns whether an error message describes a temporary state: a full disk, a lock held elsewhere, a
/// failing disk.
fn is_passing(message: &str) -> bool {
    const SQLITE: [&str; 6] = [
        "database or disk is full",
        "disk I/O error",
        "database is locked",
        "unable to open database file",
        "attempt to write a readonly database",
        "database table is locked",
    ];
    const POSTGRES: [&str; 5] = [
        "No space left on device",
        "due to statement timeout",
        "terminating connection",
        "idle-in-transaction timeout",
        "out of shared memory",
    ];
    SQLITE.iter().chain(&POSTGRES).any(|sentence| message.contains(sentence))
}

/// Why a database could not be opened: one sentence with its name and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {name}: {reason}; give --database-url another database or repair this one")]
pub struct OpenError {
    name: String,
    reason: String,
}

impl From<OpenError> for StorageError {
    fn from(error: OpenError) -> Self {
        Self::Unavailable(error.reason)
    }
}

impl OpenError {
    pub(crate) fn new(name: &str, reason: impl std::fmt::Display) -> Self {
        Self {
            name: name.to_owned(),
            reason: reason.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }
}
