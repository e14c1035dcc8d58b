//! The attachments of deleted messages.

use crate::{
    core::model::{Attachment, AttachmentId},
    storage::{
        AnyConn, StorageError,
        tables::{attachments, stored_files},
    },
};

/// Removes the attachments of a message that is deleted. Without attachments, it takes no statement.
pub(super) fn drop_all(conn: &mut AnyConn, list: &[Attachment]) -> Result<(), StorageError> {
    if list.is_empty() {
        return Ok(());
    }
    let ids: Vec<AttachmentId> = list.iter().map(|attachment| attachment.id).collect();
    drop_files(conn, &ids)
}

/// Removes attachments, and the references to their files.
pub(super) fn drop_files(conn: &mut AnyConn, ids: &[AttachmentId]) -> Result<(), StorageError> {
    let files = attachments::remove(conn, ids)?;
    stored_files::drop_references(conn, files)
}
