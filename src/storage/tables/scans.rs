//! Attachments that wait for the scanner, and what it has found in their files.

use crate::{
    core::model::{Attachment, AttachmentId, AttachmentState, ChatId, FileId, MessageId, Timestamp, UserId},
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
    },
};

row! {
    /// An attachment that waits for the scanner, or for what it has found to be shown.
    #[derive(Debug, Clone)]
    pub struct Waiting from attachments a {
        id: AttachmentId,
        file_id: FileId,
        chat_id: ChatId,
        user_id: UserId,
        message_id: Option<MessageId>,
        verdict: Option<String> = "f.verdict",
    }
}

impl Waiting {
    /// Returns what the scanner has found.
    pub fn verdict(&self) -> Option<AttachmentState> {
        AttachmentState::parse(self.verdict.as_deref()?)
    }
}

/// Returns attachments whose file is to be scanned now, or was scanned, the oldest first.
pub fn waiting(conn: &mut AnyConn, limit: i64) -> Result<Vec<Waiting>, StorageError> {
    let now = Timestamp::now();
    let rows = sql!(
        "SELECT {} FROM attachments a JOIN stored_files f ON f.id = a.file_id WHERE a.state = 'scanning' \
         AND (f.verdict IS NOT NULL OR f.scan_until IS NULL OR f.scan_until < ?) ORDER BY a.id LIMIT ?",
        now,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Returns the attachments of a file that wait for what the scanner has found to be shown.
pub fn of_file(conn: &mut AnyConn, file: FileId) -> Result<Vec<Waiting>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM attachments a JOIN stored_files f ON f.id = a.file_id WHERE a.file_id = ? AND a.state = 'scanning'",
        file
    );
    Ok(rows.rows(conn)?)
}

/// Returns the attachments of a message that wait for what the scanner has found to be shown.
pub fn of_message(
    conn: &mut AnyConn,
    (chat, message): (ChatId, MessageId),
) -> Result<Vec<Waiting>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM attachments a JOIN stored_files f ON f.id = a.file_id WHERE a.message_id = ? AND a.chat_id = ? \
         AND a.state = 'scanning' AND f.verdict IS NOT NULL ORDER BY a.id",
        message,
        chat
    );
    Ok(rows.rows(conn)?)
}

/// Gives a node the right to scan a file until some time. Returns whether it was given.
pub fn claim(conn: &mut AnyConn, file: FileId, until: Timestamp) -> Result<bool, StorageError> {
    let now = Timestamp::now();
    let changed = sql!(
        "UPDATE stored_files SET scan_until = ? WHERE id = ? AND verdict IS NULL AND reference_count > 0 \
         AND (scan_until IS NULL OR scan_until < ?)",
        until,
        file,
        now
    );
    Ok(changed.run(conn)? > 0)
}

/// Extends the right to scan a file, or puts off the next attempt.
pub fn wait_until(conn: &mut AnyConn, file: FileId, until: Timestamp) -> Result<(), StorageError> {
    sql!("UPDATE stored_files SET scan_until = ? WHERE id = ? AND verdict IS NULL", until, file).run(conn)?;
    Ok(())
}

/// Ends all rights to scan. Only for a database whose only server has just started.
pub fn end_all(conn: &mut AnyConn) -> Result<(), StorageError> {
    sql!("UPDATE stored_files SET scan_until = NULL WHERE scan_until IS NOT NULL").run(conn)?;
    Ok(())
}

/// Stores what the scanner has found in a file.
pub fn set_verdict(conn: &mut AnyConn, file: FileId, verdict: AttachmentState) -> Result<(), StorageError> {
    sql!(
        "UPDATE stored_files SET verdict = ?, scan_until = NULL WHERE id = ? AND verdict IS NULL",
        verdict.as_str(),
        file
    )
    .run(conn)?;
    Ok(())
}

/// Shows what the scanner has found in a file with one of its attachments. A blocked one keeps its name and size only, and has
/// no file. Returns false if it did not wait for that.
pub fn settle(
    conn: &mut AnyConn,
    id: AttachmentId,
    message: Option<MessageId>,
    verdict: AttachmentState,
) -> Result<bool, StorageError> {
    let is_blocked = verdict == AttachmentState::Blocked;
    let changed = sql!(
        "UPDATE attachments SET state = ?, file_id = CASE WHEN ? THEN 0 ELSE file_id END, \
         thumbnails = CASE WHEN ? THEN NULL ELSE thumbnails END, blurhash = CASE WHEN ? THEN NULL ELSE blurhash END \
         WHERE id = ? AND state = 'scanning' AND coalesce(message_id, 0) = ?",
        verdict.as_str(),
        is_blocked,
        is_blocked,
        is_blocked,
        id,
        message.map_or(0, |message| message.0)
    );
    Ok(changed.run(conn)? > 0)
}

/// Makes an attachment as the message shows it the same as [`settle`] makes its row.
pub fn settle_shown(shown: &mut Attachment, verdict: AttachmentState) {
    shown.state = verdict;
    if verdict == AttachmentState::Blocked {
        shown.thumbnails.clear();
        shown.blurhash = None;
    }
}
