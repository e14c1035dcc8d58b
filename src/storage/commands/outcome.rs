//! The outcome of one command, and the sequence number that it takes.

use crate::{
    core::model::{Chat, FieldErrors, MessageId, Refusal, event::Done},
    storage::StorageError,
};

/// Outcome of one command. An error is of this command alone, which has then written nothing.
pub(crate) type Outcome = Result<Done, StorageError>;

/// Separates a refusal, which is the outcome of one command, from a failure, which fails the whole
/// transaction.
pub(crate) fn unless_failed(result: Result<Done, StorageError>) -> Result<Outcome, StorageError> {
    match result {
        Err(StorageError::Refused(refusal)) => Ok(Err(refusal.into())),
        result => result.map(Ok),
    }
}

/// Takes the next sequence number of a chat, for one change.
pub(crate) fn take_number(chat: &mut Chat) {
    chat.seq += 1;
}

/// Refuses a field that names a message that is not where it must be.
pub(super) fn no_such(field: &'static str, id: MessageId) -> Refusal {
    FieldErrors::of(field, format!("Invalid pk \"{id}\" - object does not exist.")).into()
}
