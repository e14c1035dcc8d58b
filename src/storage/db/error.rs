//! What can go wrong with the database.

use diesel::result::{DatabaseErrorKind, Error};

use crate::core::model::{FieldErrors, Refusal};

/// Why something was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The request was turned down; the database is fine.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The database cannot be reached, is full, or stayed locked: it may work later.
    #[error("the database is away: {0}")]
    Away(String),
    /// Another transaction was in the way and has gone through: the same may succeed at once, or be refused.
    #[error("another transaction was in the way: {0}")]
    Clashed(Error),
    /// Others hold a lock on what is to be written, and went on holding it.
    #[error("it stayed locked: {0}")]
    Locked(String),
    /// Anything else: a fault of ours, or a damaged database.
    #[error("the database failed: {0}")]
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
            UniqueViolation | SerializationFailure => Self::Clashed(error),
            ClosedConnection | UnableToSendCommand | ReadOnlyTransaction => Self::Away(message.to_owned()),
            _ if message.contains(DEADLOCK) => Self::Clashed(error),
            _ if message.contains(LOCK_TIMEOUT) => Self::Locked(message.to_owned()),
            _ if is_passing(message) => Self::Away(message.to_owned()),
            _ => Self::Failed(error),
        }
    }
}

impl StorageError {
    /// What the caller is told; our own faults are logged here, once.
    pub fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Away(why) => {
                tracing::error!(why, "the database is away");
                Refusal::StorageAway
            }
            Self::Locked(why) => {
                tracing::warn!(why, "others kept the database from writing");
                Refusal::Busy
            }
            Self::Clashed(error) if !is_unique_violation(&error) => {
                tracing::warn!(%error, "others at work in the database were in the way again and again");
                Refusal::Busy
            }
            // A row that is in the way for good is a fault of ours.
            Self::Clashed(error) | Self::Failed(error) => {
                tracing::error!(%error, "the database failed");
                Refusal::Internal
            }
        }
    }
}

fn is_unique_violation(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

// diesel hands on no codes of what follows. PostgreSQL is asked to speak English (see `conn`).

const DEADLOCK: &str = "deadlock detected";
const LOCK_TIMEOUT: &str = "due to lock timeout";

/// Whether the database says so of a state that can pass: no room on the disk, a lock held elsewhere, a disk that fails.
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

/// Why a database could not be opened, in one sentence that names it and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {name}: {reason}; give --database-url another database or mend this one")]
pub struct OpenError {
    name: String,
    reason: String,
}

impl From<OpenError> for StorageError {
    fn from(error: OpenError) -> Self {
        Self::Away(error.reason)
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
