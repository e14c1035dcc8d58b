//! Parts of a message that change by themselves: attachments, previews, reactions, and the state of its thread.

use crate::{
    core::model::{Attachment, ChatId, Message, Pos, Seq},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Stores the attachments of a message as they are now.
pub fn set_attachments(conn: &mut AnyConn, message: &Message) -> Result<(), StorageError> {
    let attachments = Attachment::stored_list(&message.attachments);
    sql!(
        "UPDATE messages SET attachments = ?, seq = ? WHERE chat_id = ? AND pos = ?",
        attachments.as_deref(),
        message.seq,
        message.chat,
        message.pos
    )
    .run(conn)?;
    Ok(())
}

/// Stores the previews of a message as they are now.
pub fn set_previews(conn: &mut AnyConn, message: &Message) -> Result<(), StorageError> {
    let previews = message.previews.stored();
    sql!(
        "UPDATE messages SET previews = ?, seq = ? WHERE chat_id = ? AND pos = ?",
        previews.as_deref(),
        message.seq,
        message.chat,
        message.pos
    )
    .run(conn)?;
    Ok(())
}

/// Stores the rendered reactions of a message.
pub fn set_reactions(
    conn: &mut AnyConn,
    place: (ChatId, Pos),
    json: &str,
    seq: Seq,
) -> Result<(), StorageError> {
    sql!(
        "UPDATE messages SET reactions = ?, seq = ? WHERE chat_id = ? AND pos = ?",
        json,
        seq,
        place.0,
        place.1
    )
    .run(conn)?;
    Ok(())
}

/// Stores the state of a thread with its root, as a change of the root.
pub fn set_thread_info(
    conn: &mut AnyConn,
    place: (ChatId, Pos),
    info: Option<&str>,
    seq: Seq,
) -> Result<(), StorageError> {
    sql!(
        "UPDATE messages SET thread_info = ?, seq = ? WHERE chat_id = ? AND pos = ?",
        info,
        seq,
        place.0,
        place.1
    )
    .run(conn)?;
    Ok(())
}
