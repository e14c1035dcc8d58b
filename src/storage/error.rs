//! What can go wrong with the database.

use diesel::result::{DatabaseErrorKind, Error};

use crate::model::{FieldErrors, Refusal};

/// Why something was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The request was turned down; the database is fine.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The database cannot be reached, is full, or stayed locked: it may work later.
    #[error("the database is away: {0}")]
    Away(String),
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
        match &error {
            Error::DatabaseError(kind, info) if is_of_the_connection(kind) => {
                Self::Away(info.message().trim_end().to_owned())
            }
            Error::DatabaseError(_, info) if is_passing(info.message()) => {
                Self::Away(info.message().to_owned())
            }
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
            Self::Failed(error) => {
                tracing::error!(%error, "the database failed");
                Refusal::Internal
            }
        }
    }
}

/// Whether it is about the way to PostgreSQL, or about others at work there, and not about the statement.
fn is_of_the_connection(kind: &DatabaseErrorKind) -> bool {
    use DatabaseErrorKind::{
        ClosedConnection, ReadOnlyTransaction, SerializationFailure, UnableToSendCommand,
    };
    matches!(kind, ClosedConnection | UnableToSendCommand | SerializationFailure | ReadOnlyTransaction)
}

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
    // diesel hands on no codes of these.
    const POSTGRES: [&str; 6] = [
        "No space left on device",
        "lock timeout",
        "deadlock detected",
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
