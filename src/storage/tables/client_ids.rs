//! Client ids of messages, under which a sender posts a message once.

use crate::{
    core::model::{ChatId, Pos, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// A message that was posted under a client id.
pub struct Posted {
    pub pos: Pos,
    /// `None` once the message is deleted.
    pub content_hash: Option<Vec<u8>>,
}

/// Finds the message that a sender posted under a client id.
pub fn by_client_id(
    conn: &mut AnyConn,
    chat: ChatId,
    sender: UserId,
    client_id: &str,
) -> Result<Option<Posted>, StorageError> {
    let row = sql!(
        "SELECT pos, content_hash FROM messages WHERE chat_id = ? AND sender_id = ? AND client_id = ?",
        chat,
        sender,
        client_id
    )
    .first::<(i64, Option<Vec<u8>>)>(conn)?;
    Ok(row.map(|(pos, content_hash)| Posted { pos, content_hash }))
}
