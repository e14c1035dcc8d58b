//! Attachments of messages, and the uploads that become attachments when they are sent.

use crate::{
    core::model::{
        AltText, Attachment, AttachmentId, AttachmentState, ChatId, FileId, FileName, MessageId, Sha256Hex,
        Thumbnail, Timestamp, UserId,
    },
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
    },
};

row! {
    /// An attachment or an upload.
    pub(crate) struct AttachmentRow from attachments a {
        id: AttachmentId,
        file_id: FileId,
        chat_id: ChatId,
        user_id: UserId,
        message_id: Option<MessageId>,
        state: String,
        name: String,
        size: i64,
        sha256: Option<String>,
        content_type: String,
        width: Option<i64>,
        height: Option<i64>,
        blurhash: Option<String>,
        alt: String,
        thumbnails: Option<String>,
        expires_at: Timestamp,
    }
}

/// An upload, or the attachment that it has become.
#[derive(Debug, Clone)]
pub struct Upload {
    pub id: AttachmentId,
    pub file: FileId,
    pub chat: ChatId,
    pub user: UserId,
    /// `None`: it is not sent yet.
    pub message: Option<MessageId>,
    pub name: String,
    pub alt: String,
    /// The size that was announced.
    pub size: i64,
    /// The hash that was announced.
    pub sha256: Option<String>,
    pub expires_at: Timestamp,
    /// `None`: it is not complete.
    pub attachment: Option<Attachment>,
}

impl From<AttachmentRow> for Upload {
    fn from(row: AttachmentRow) -> Self {
        let thumbnails: Option<Vec<Thumbnail>> =
            row.thumbnails.as_deref().and_then(|json| serde_json::from_str(json).ok());
        let attachment = AttachmentState::parse(&row.state).map(|state| Attachment {
            id: row.id,
            name: row.name.clone(),
            size: row.size,
            content_type: row.content_type.clone(),
            sha256: row.sha256.clone().unwrap_or_default(),
            width: row.width,
            height: row.height,
            blurhash: row.blurhash.clone(),
            alt: row.alt.clone(),
            state,
            thumbnails: thumbnails.unwrap_or_default(),
        });
        Self {
            id: row.id,
            file: row.file_id,
            chat: row.chat_id,
            user: row.user_id,
            message: row.message_id,
            name: row.name,
            alt: row.alt,
            size: row.size,
            sha256: row.sha256,
            expires_at: row.expires_at,
            attachment,
        }
    }
}

/// An upload that is announced.
#[derive(Debug, Clone)]
pub struct NewUpload {
    pub chat: ChatId,
    pub name: FileName,
    pub size: i64,
    pub sha256: Option<Sha256Hex>,
    pub alt: AltText,
}

/// The attachments of a message that is not stored yet.
#[derive(Debug, Clone, Default)]
pub struct Attached {
    pub list: Vec<Attachment>,
    /// The uploads among them.
    pub uploads: Vec<AttachmentId>,
    /// The copies among them: the source, the id of the copy, and their state.
    pub copies: Vec<(AttachmentId, AttachmentId, AttachmentState)>,
}

/// Adds an upload of a file.
pub fn insert(
    conn: &mut AnyConn,
    user: UserId,
    new: &NewUpload,
    file: FileId,
    expires_at: Timestamp,
) -> Result<AttachmentId, StorageError> {
    let now = Timestamp::now();
    let row = sql!(
        "INSERT INTO attachments (file_id, chat_id, user_id, state, name, size, sha256, content_type, alt, created_at, \
         expires_at) VALUES (?, ?, ?, 'pending', ?, ?, ?, '', ?, ?, ?) RETURNING id",
        file,
        new.chat,
        user,
        new.name.as_str(),
        new.size,
        new.sha256.as_ref().map(Sha256Hex::as_str),
        new.alt.as_str(),
        now,
        expires_at
    );
    Ok(row.one(conn)?)
}

/// Counts a user's uploads that are not complete, up to a limit.
pub fn count_pending(conn: &mut AnyConn, user: UserId, limit: i64) -> Result<i64, StorageError> {
    let row = sql!(
        "SELECT count(*) FROM (SELECT 1 FROM attachments WHERE user_id = ? AND state = 'pending' LIMIT ?) AS p",
        user,
        limit
    );
    Ok(row.one(conn)?)
}

/// Finds an attachment or an upload.
pub fn find(conn: &mut AnyConn, id: AttachmentId) -> Result<Option<Upload>, StorageError> {
    let row = sql!("SELECT {} FROM attachments a WHERE a.id = ?", id);
    Ok(row.first::<AttachmentRow>(conn)?.map(Upload::from))
}

/// Finds attachments and uploads.
pub fn with_ids(conn: &mut AnyConn, ids: &[i64]) -> Result<Vec<Upload>, StorageError> {
    let rows = sql!("SELECT {} FROM attachments a WHERE a.id IN ?", ids);
    Ok(rows.rows::<AttachmentRow>(conn)?.into_iter().map(Upload::from).collect())
}

/// Gives an upload more time.
pub fn extend(conn: &mut AnyConn, id: AttachmentId, expires_at: Timestamp) -> Result<(), StorageError> {
    sql!("UPDATE attachments SET expires_at = ? WHERE id = ? AND expires_at < ?", expires_at, id, expires_at)
        .run(conn)?;
    Ok(())
}

/// Stores what was found in the bytes of an upload, which is complete with that.
pub fn complete(conn: &mut AnyConn, upload: &Upload, found: &Attachment) -> Result<bool, StorageError> {
    let thumbnails = (!found.thumbnails.is_empty())
        .then(|| serde_json::to_string(&found.thumbnails).expect("sizes are always JSON"));
    let changed = sql!(
        "UPDATE attachments SET state = ?, file_id = ?, size = ?, sha256 = ?, content_type = ?, width = ?, height = ?, \
         blurhash = ?, thumbnails = ?, expires_at = ? WHERE id = ? AND state = 'pending'",
        found.state.as_str(),
        upload.file,
        found.size,
        found.sha256.as_str(),
        found.content_type.as_str(),
        found.width,
        found.height,
        found.blurhash.as_deref(),
        thumbnails.as_deref(),
        upload.expires_at,
        upload.id
    );
    Ok(changed.run(conn)? > 0)
}

/// Changes the description of an upload that is not sent. Returns whether it was still there.
pub fn describe(conn: &mut AnyConn, id: AttachmentId, alt: &AltText) -> Result<bool, StorageError> {
    let changed =
        sql!("UPDATE attachments SET alt = ? WHERE id = ? AND message_id IS NULL", alt.as_str(), id);
    Ok(changed.run(conn)? > 0)
}

/// Makes uploads in this state attachments of a message. Returns how many of them were still there, in this state, and not
/// sent.
pub fn send(
    conn: &mut AnyConn,
    ids: &[i64],
    state: AttachmentState,
    message: MessageId,
) -> Result<usize, StorageError> {
    let changed = sql!(
        "UPDATE attachments SET message_id = ? WHERE id IN ? AND message_id IS NULL AND state = ?",
        message,
        ids,
        state.as_str()
    );
    Ok(changed.run(conn)?)
}

/// Returns ids for attachments that are not stored yet. On SQLite they are free until the next attachment is stored.
pub fn draw_ids(conn: &mut AnyConn, count: usize) -> Result<Vec<AttachmentId>, StorageError> {
    match conn {
        AnyConn::Sqlite(_) => {
            let drawn =
                sql!("SELECT seq FROM sqlite_sequence WHERE name = 'attachments'").first::<i64>(conn)?;
            let first = drawn.unwrap_or(0) + 1;
            Ok((first..first + count as i64).map(AttachmentId).collect())
        }
        AnyConn::Postgres(_) => {
            let rows = sql!("SELECT nextval('attachments_id_seq') FROM generate_series(1, ?)", count as i64);
            Ok(rows.rows(conn)?)
        }
    }
}

/// Copies an attachment to another message, under an id of its own. Returns the file, unless the attachment has gone.
pub fn copy(
    conn: &mut AnyConn,
    (source, id, state): (AttachmentId, AttachmentId, AttachmentState),
    (chat, message): (ChatId, MessageId),
    user: UserId,
) -> Result<Option<FileId>, StorageError> {
    let now = Timestamp::now();
    let row = sql!(
        "INSERT INTO attachments (id, file_id, chat_id, user_id, message_id, state, name, size, sha256, content_type, \
         width, height, blurhash, alt, thumbnails, created_at, expires_at) \
         SELECT ?, file_id, ?, ?, ?, state, name, size, sha256, content_type, width, height, blurhash, alt, thumbnails, \
         ?, expires_at FROM attachments WHERE id = ? AND message_id IS NOT NULL AND state = ? RETURNING file_id",
        id,
        chat,
        user,
        message,
        now,
        source,
        state.as_str()
    );
    Ok(row.first(conn)?)
}

/// Removes attachments. Returns their files.
pub fn remove(conn: &mut AnyConn, ids: &[AttachmentId]) -> Result<Vec<FileId>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    Ok(sql!("DELETE FROM attachments WHERE id IN ? RETURNING file_id", ids.as_slice()).rows(conn)?)
}

/// Removes an upload that is not sent. Returns its file; `None` if it was sent or removed meanwhile.
pub fn remove_unsent(conn: &mut AnyConn, id: AttachmentId) -> Result<Option<FileId>, StorageError> {
    let row = sql!("DELETE FROM attachments WHERE id = ? AND message_id IS NULL RETURNING file_id", id);
    Ok(row.first(conn)?)
}

/// Returns uploads whose time is over, the oldest first.
pub fn expired(conn: &mut AnyConn, limit: i64) -> Result<Vec<AttachmentId>, StorageError> {
    let now = Timestamp::now();
    let rows = sql!(
        "SELECT id FROM attachments WHERE message_id IS NULL AND expires_at < ? ORDER BY expires_at LIMIT ?",
        now,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Returns some attachments and uploads of a chat.
pub fn some_of_chat(conn: &mut AnyConn, chat: ChatId, limit: i64) -> Result<Vec<AttachmentId>, StorageError> {
    Ok(sql!("SELECT id FROM attachments WHERE chat_id = ? LIMIT ?", chat, limit).rows(conn)?)
}

/// Gives a user the uploads of the guest who has become the user.
pub fn hand_over(
    conn: &mut AnyConn,
    chat: ChatId,
    (guest, user): (UserId, UserId),
) -> Result<(), StorageError> {
    sql!(
        "UPDATE attachments SET user_id = ? WHERE chat_id = ? AND message_id IS NULL AND user_id = ?",
        user,
        chat,
        guest
    )
    .run(conn)?;
    Ok(())
}

/// A place in the list of a chat's attachments: before the attachment of a message.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    pub message: MessageId,
    pub attachment: AttachmentId,
}

impl Before {
    /// The place before all attachments.
    pub const ALL: Self = Self { message: MessageId(i64::MAX), attachment: AttachmentId(i64::MAX) };
}

/// Returns the attachments of a chat that were sent, the newest first.
pub fn of_chat(
    conn: &mut AnyConn,
    chat: ChatId,
    before: Before,
    limit: i64,
) -> Result<Vec<Upload>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM attachments a WHERE a.chat_id = ? AND a.message_id > 0 AND (a.message_id, a.id) < (?, ?) \
         ORDER BY a.message_id DESC, a.id DESC LIMIT ?",
        chat,
        before.message,
        before.attachment,
        limit
    );
    Ok(rows.rows::<AttachmentRow>(conn)?.into_iter().map(Upload::from).collect())
}
