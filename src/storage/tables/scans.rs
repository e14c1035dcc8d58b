//! Files that are to be scanned, what the scanner has found in them, and the attachments that wait for it.

use crate::{
    core::model::{Attachment, AttachmentId, AttachmentState, ChatId, FileId, MessageId, Timestamp, UserId},
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
    },
};

/// A file that is to be scanned, or whose result is to be shown.
#[derive(Debug, Clone, Copy)]
pub struct DueFile {
    pub id: FileId,
    /// What the scanner has found.
    pub verdict: Option<AttachmentState>,
}

/// Adds a file to those that are to be scanned.
pub fn enqueue(conn: &mut AnyConn, file: FileId) -> Result<(), StorageError> {
    let now = Timestamp::now();
    sql!("UPDATE stored_files SET scan_at = ? WHERE id = ?", now, file).run(conn)?;
    Ok(())
}

/// Returns files that are due, those that wait longest first.
pub fn due(conn: &mut AnyConn, limit: i64) -> Result<Vec<DueFile>, StorageError> {
    let now = Timestamp::now();
    let rows = sql!(
        "SELECT id, verdict FROM stored_files WHERE scan_at <= ? AND reference_count > 0 ORDER BY scan_at, id LIMIT ?",
        now,
        limit
    );
    let rows = rows.rows::<(FileId, Option<String>)>(conn)?;
    let due = |(id, verdict): (FileId, Option<String>)| DueFile {
        id,
        verdict: verdict.as_deref().and_then(AttachmentState::parse),
    };
    Ok(rows.into_iter().map(due).collect())
}

/// Gives a node the right to work on a file that is due, until some time. Returns whether it was given.
pub fn claim(conn: &mut AnyConn, file: FileId, until: Timestamp) -> Result<bool, StorageError> {
    let now = Timestamp::now();
    let changed = sql!("UPDATE stored_files SET scan_at = ? WHERE id = ? AND scan_at <= ?", until, file, now);
    Ok(changed.run(conn)? > 0)
}

/// Changes the time up to which a node has claimed a file. Returns whether it still had the claim.
pub fn put_off(
    conn: &mut AnyConn,
    file: FileId,
    (claimed, until): (Timestamp, Timestamp),
) -> Result<bool, StorageError> {
    let changed =
        sql!("UPDATE stored_files SET scan_at = ? WHERE id = ? AND scan_at = ?", until, file, claimed);
    Ok(changed.run(conn)? > 0)
}

/// Ends all claims. Only for a database whose only server has just started.
pub fn end_claims(conn: &mut AnyConn) -> Result<(), StorageError> {
    let now = Timestamp::now();
    sql!("UPDATE stored_files SET scan_at = ? WHERE scan_at > ?", now, now).run(conn)?;
    Ok(())
}

/// Stores what the scanner has found in a file.
pub fn set_verdict(conn: &mut AnyConn, file: FileId, verdict: AttachmentState) -> Result<(), StorageError> {
    sql!("UPDATE stored_files SET verdict = ? WHERE id = ? AND verdict IS NULL", verdict.as_str(), file)
        .run(conn)?;
    Ok(())
}

/// Ends the work on a file. It stays due if an attachment still waits, such as an upload that was sent meanwhile. A copy that
/// was added meanwhile has changed the claim, and leaves it due too.
pub fn finish(conn: &mut AnyConn, file: FileId, claimed: Timestamp) -> Result<(), StorageError> {
    let now = Timestamp::now();
    sql!(
        "UPDATE stored_files SET scan_at = CASE WHEN EXISTS ( \
            SELECT 1 FROM attachments a WHERE a.file_id = ? AND a.state = 'scanning') THEN ? END \
         WHERE id = ? AND scan_at = ?",
        file,
        now,
        file,
        claimed
    )
    .run(conn)?;
    Ok(())
}

row! {
    /// An attachment that waits for what the scanner has found to be shown.
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

/// Returns the attachments of a file that wait.
pub fn of_file(conn: &mut AnyConn, file: FileId) -> Result<Vec<Waiting>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM attachments a JOIN stored_files f ON f.id = a.file_id WHERE a.file_id = ? AND a.state = 'scanning' \
         ORDER BY a.id",
        file
    );
    Ok(rows.rows(conn)?)
}

/// Returns the attachments of a message that wait, and whose file was scanned.
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

/// Gives an attachment the state that the scanner has found. A blocked one keeps its name and size only, and has no file.
/// `message`: the one that has it. Returns false if it did not wait there.
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

/// Gives an attachment in its message the state that [`settle`] gives its row.
pub fn settle_shown(shown: &mut Attachment, verdict: AttachmentState) {
    shown.state = verdict;
    if verdict == AttachmentState::Blocked {
        shown.thumbnails.clear();
        shown.blurhash = None;
    }
}
