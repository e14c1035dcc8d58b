//! Changes of a part of a message that are no edits of its text.

use super::{outcome::take_number, threads};
use crate::{
    core::model::{
        Change, Chat, Message,
        event::{Answer, Done},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{chats, members},
    },
};

/// Stores a changed part of a message as the chat's next change. `store`: what stores that part.
pub(super) fn apply(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    (mut chat, mut message): (Chat, Message),
    store: fn(&mut AnyConn, &Message) -> Result<(), StorageError>,
) -> Result<Done, StorageError> {
    take_number(&mut chat);
    message.seq = chat.seq;
    store(conn, &message)?;
    chats::update(conn, &chat)?;
    message.note_readers(&members::readers(conn, &chat, policy.receipts_max_members)?);
    let thread = threads::info_of(conn, chat.id, &message)?;
    Ok(Done::changed(&chat, Answer::Done, Change::MessageEdited { message, thread }))
}
