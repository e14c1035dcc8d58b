//! Uploads: reserved, written, completed, cancelled, and removed when their time is over.

use std::time::Duration;

use super::detach::drop_files;
use crate::{
    core::model::{
        AltText, Attachment, AttachmentId, AttachmentState, ChatId, FileId, Refusal, Timestamp, UserId,
        permission::Ability,
    },
    storage::{
        AnyConn, StorageError,
        db::steps::STEP,
        queries::membership,
        tables::{
            attachments::{self, NewUpload, Upload},
            locks, scans,
            stored_files::{self, SITE},
        },
    },
};

/// How long a user may take to begin an upload.
const BEGIN_WITHIN: Duration = Duration::from_secs(15 * 60);

/// How long a request may write without extending its right. Other requests wait so long after a crash.
pub const WRITE_FOR: Duration = Duration::from_secs(30);

/// How long a request may take to complete an upload.
const COMPLETE_FOR: Duration = Duration::from_secs(120);

/// Limits on uploads.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// Most uploads of a user that are not complete.
    pub pending_max: i64,
    /// Most bytes of one user, and of all users; `None`: no limit.
    pub user_bytes: Option<i64>,
    pub site_bytes: Option<i64>,
}

/// The result of reserving space for an upload.
#[derive(Debug, Clone)]
pub enum Reserved {
    Made {
        id: AttachmentId,
        expires_at: Timestamp,
    },
    /// The user has too many uploads that are not complete.
    TooMany,
    /// So many bytes are left.
    OverQuota {
        left: i64,
    },
}

/// Reserves space for an upload, for a user who may write in the chat.
pub fn reserve(
    conn: &mut AnyConn,
    user: UserId,
    new: &NewUpload,
    limits: UploadLimits,
) -> Result<Reserved, StorageError> {
    membership::authorized(conn, new.chat, user, Ability::Write)?;
    locks::user(conn, user)?;
    if attachments::count_pending(conn, user, limits.pending_max)? >= limits.pending_max {
        return Ok(Reserved::TooMany);
    }
    stored_files::lock_counts(conn)?;
    let mut left = i64::MAX;
    for (whose, limit) in [(SITE, limits.site_bytes), (user, limits.user_bytes)] {
        if let Some(limit) = limit {
            left = left.min(limit.saturating_sub(stored_files::counted(conn, whose)?).max(0));
        }
    }
    if new.size > left {
        return Ok(Reserved::OverQuota { left });
    }
    let file = stored_files::insert(conn, user, new.size)?;
    stored_files::count(conn, user, new.size)?;
    let expires_at = Timestamp::now().after(BEGIN_WITHIN);
    let id = attachments::insert(conn, user, new, file, expires_at)?;
    Ok(Reserved::Made { id, expires_at })
}

/// Whether a request may write the bytes of an upload.
#[derive(Debug, Clone)]
pub enum Writing {
    Begun(Upload),
    /// The upload is complete.
    IsComplete(Attachment),
    /// Another request writes.
    IsBusy,
}

/// Gives a request the right to write the bytes of an upload. `NotFound` if there is none, or if its time is over.
pub fn begin_receiving(
    conn: &mut AnyConn,
    id: AttachmentId,
    writer: &str,
    unsent_for: Duration,
) -> Result<Writing, StorageError> {
    let now = Timestamp::now();
    let upload =
        attachments::find(conn, id)?.filter(|upload| upload.message.is_none() && upload.expires_at >= now);
    let upload = upload.ok_or(Refusal::NotFound)?;
    if let Some(attachment) = upload.attachment {
        return Ok(Writing::IsComplete(attachment));
    }
    // A repeated request takes the place of the earlier one, whose connection may be dead. None does so while the
    // upload is completed.
    let takes_over = !is_completing(conn, upload.file)?;
    if !stored_files::begin_writing(conn, upload.file, writer, now.after(WRITE_FOR), takes_over)? {
        return Ok(Writing::IsBusy);
    }
    attachments::extend(conn, id, now.after(unsent_for))?;
    Ok(Writing::Begun(upload))
}

/// Prefix of the names of requests that complete an upload.
pub const COMPLETING: &str = "complete-";

fn is_completing(conn: &mut AnyConn, file: FileId) -> Result<bool, StorageError> {
    Ok(stored_files::writer_of(conn, file)?.is_some_and(|writer| writer.starts_with(COMPLETING)))
}

/// Gives a request the right to complete an upload, and to replace its bytes. `NotFound` if the user has no such upload.
pub fn begin_completing(
    conn: &mut AnyConn,
    user: UserId,
    id: AttachmentId,
    writer: &str,
) -> Result<Writing, StorageError> {
    let now = Timestamp::now();
    let upload = owned(conn, user, id)?;
    if let Some(attachment) = upload.attachment {
        return Ok(Writing::IsComplete(attachment));
    }
    match stored_files::begin_writing(conn, upload.file, writer, now.after(COMPLETE_FOR), false)? {
        true => Ok(Writing::Begun(upload)),
        false => Ok(Writing::IsBusy),
    }
}

/// Adds a file that is to take the place of the bytes of an upload.
pub fn begin_replacing(conn: &mut AnyConn, upload: &Upload, writer: &str) -> Result<FileId, StorageError> {
    stored_files::insert_derived(conn, upload.file, writer, Timestamp::now().after(COMPLETE_FOR))
}

/// Stores what was found in the bytes of an upload. `replacement`: the file that takes the place of these bytes. Returns
/// whether the request still had the right to write.
pub fn complete(
    conn: &mut AnyConn,
    upload: &Upload,
    writer: &str,
    (found, replacement): (&Attachment, Option<FileId>),
    unsent_for: Duration,
) -> Result<bool, StorageError> {
    let until = Timestamp::now().after(unsent_for);
    if !stored_files::go_on_writing(conn, upload.file, writer, until)? {
        return Ok(false);
    }
    let mut upload = Upload { expires_at: until, ..upload.clone() };
    let old = upload.file;
    stored_files::end_writing(conn, old, writer)?;
    if let Some(new) = replacement {
        if !stored_files::replace(conn, old, new, found.size)? {
            return Ok(false);
        }
        upload.file = new;
    }
    attachments::complete(conn, &upload, found)?;
    if found.state == AttachmentState::Scanning {
        scans::enqueue(conn, upload.file)?;
    }
    Ok(true)
}

/// Returns an upload of a user. `NotFound` if the user has none with this id.
pub fn owned(conn: &mut AnyConn, user: UserId, id: AttachmentId) -> Result<Upload, StorageError> {
    let upload = attachments::find(conn, id)?.filter(|upload| upload.user == user);
    Ok(upload.ok_or(Refusal::NotFound)?)
}

/// Changes the description of a complete upload that is not sent. Returns `None` if it is not complete. `NotFound` if the
/// user has no such upload.
pub fn describe(
    conn: &mut AnyConn,
    user: UserId,
    id: AttachmentId,
    alt: &AltText,
) -> Result<Option<Attachment>, StorageError> {
    let Some(attachment) = owned(conn, user, id)?.attachment else { return Ok(None) };
    if !attachments::describe(conn, id, alt)? {
        return Err(Refusal::NotFound.into());
    }
    Ok(Some(Attachment { alt: alt.as_str().to_owned(), ..attachment }))
}

/// Removes an upload that is not sent. `NotFound` if the user has no such upload.
pub fn cancel(conn: &mut AnyConn, user: UserId, id: AttachmentId) -> Result<(), StorageError> {
    owned(conn, user, id)?;
    let file = attachments::remove_unsent(conn, id)?.ok_or(Refusal::NotFound)?;
    stored_files::drop_references(conn, vec![file])
}

/// Removes some uploads whose time is over. Returns whether there may be more.
pub fn remove_expired(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let expired = attachments::expired(conn, STEP)?;
    let mut files = Vec::new();
    for id in &expired {
        files.extend(attachments::remove_unsent(conn, *id)?);
    }
    stored_files::drop_references(conn, files)?;
    Ok(expired.len() as i64 == STEP)
}

/// Removes some attachments of a deleted chat. Returns whether there were any.
pub(crate) fn clear_chat(conn: &mut AnyConn, chat: ChatId) -> Result<bool, StorageError> {
    let some = attachments::some_of_chat(conn, chat, STEP)?;
    drop_files(conn, &some)?;
    Ok(!some.is_empty())
}

/// Returns whether the time of an upload is over.
pub fn has_expired(conn: &mut AnyConn) -> Result<bool, StorageError> {
    Ok(!attachments::expired(conn, 1)?.is_empty())
}
