//! What one command came to, and the number that it takes.

use crate::{
    core::model::{Chat, event::Done},
    storage::StorageError,
};

/// What one command came to; an error is of this one alone, and it has written nothing.
pub(crate) type Outcome = Result<Done, StorageError>;

/// Tells a refusal, which is an outcome, from a failure, which is the whole transaction's.
pub(crate) fn unless_failed(result: Result<Done, StorageError>) -> Result<Outcome, StorageError> {
    match result {
        Err(StorageError::Refused(refusal)) => Ok(Err(refusal.into())),
        result => result.map(Ok),
    }
}

/// Takes the next number of a chat, for one change.
pub(crate) fn take_number(chat: &mut Chat) {
    chat.seq += 1;
}
