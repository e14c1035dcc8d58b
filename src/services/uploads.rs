//! Services for uploads: announced, completed and cancelled. Their bytes arrive by [`super::receiving`].

use std::{io::Read, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use crate::{
    auth::Caller,
    core::{
        model::{
            AltText, Attachment, AttachmentId, AttachmentState, ChatId, FieldErrors, FileId, Timestamp,
            permission::Ability,
        },
        secrets,
    },
    error::ApiError,
    files::{FileStore, content_type, folder::fill},
    services::checked::Checked,
    state::AppState,
    storage::{
        commands::uploads::{self, COMPLETING, Reserved, UploadLimits, Writing},
        tables::{
            attachments::{NewUpload, Upload},
            stored_files,
        },
    },
};

type Result<T> = std::result::Result<T, ApiError>;

/// `Retry-After` for one more upload than may be pending, in seconds.
const PENDING_RETRY_AFTER_SECONDS: u64 = 60;

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// An upload that was announced.
pub struct Announced {
    pub id: AttachmentId,
    pub expires_at: Timestamp,
}

/// Returns the store. 403 where there is none.
pub(super) fn store(state: &AppState) -> Result<Arc<FileStore>> {
    state.files.clone().ok_or(ApiError::UPLOADS_OFF)
}

/// Returns how long a complete upload may wait to be sent.
pub(super) fn unsent_for(state: &AppState) -> Duration {
    Duration::from_secs(state.config.files.upload_unlinked_seconds.into())
}

/// Announces an upload. `chat`: the one of the request, if that is well-formed.
pub async fn announce(
    state: &AppState,
    caller: &Caller,
    chat: Option<ChatId>,
    fields: Checked<NewUpload>,
) -> Result<Announced> {
    let store = store(state)?;
    let user = caller.id();
    let max = state.config.files.file_max_bytes;
    let fields = fields.and_then(|new| match new.size > max {
        true => Err(ApiError::FileTooLarge { max }),
        false => Ok(new),
    });
    let permission = async {
        match chat {
            Some(chat) => state.permitted(chat, user, Ability::Write).await,
            None => Ok(()),
        }
    };
    let new = fields.authorize_errors(permission).await?;
    store.work("be created", |folder| folder.ensure()).await?;
    let settings = &state.config.files;
    let limits = UploadLimits {
        pending_max: settings.uploads_pending_max.into(),
        user_bytes: settings.quota_user_bytes,
        site_bytes: settings.quota_site_bytes,
    };
    let reserve = move |conn: &mut _, _: &_| uploads::reserve(conn, user, &new, limits);
    match state.writer.run("reserve_upload", reserve).await? {
        Reserved::Made { id, expires_at } => Ok(Announced { id, expires_at }),
        Reserved::TooMany => Err(ApiError::Throttled { seconds: PENDING_RETRY_AFTER_SECONDS }),
        Reserved::OverQuota { left } => Err(ApiError::OverQuota { left }),
    }
}

/// Completes an upload whose bytes have arrived. An upload that is refused is removed.
pub async fn complete(state: &AppState, caller: &Caller, id: AttachmentId) -> Result<Attachment> {
    let (store, user) = (store(state)?, caller.id());
    let writer = format!("{COMPLETING}{}", secrets::random_name::<8>());
    let name = writer.clone();
    let begin = move |conn: &mut _, _: &_| uploads::begin_completing(conn, user, id, &name);
    let upload = match state.writer.run("begin_completing", begin).await? {
        Writing::Begun(upload) => upload,
        Writing::IsComplete(attachment) => return Ok(attachment),
        Writing::IsBusy => return Err(ApiError::NOT_RECEIVED),
    };
    let _right = WritingRight { state, file: upload.file, writer: writer.clone() };
    let place = store.place().await?;
    let file = upload.file;
    let found = store.work("be read", move |folder| {
        let _place = place;
        folder.open(file)?.map(|bytes| Found::in_bytes(bytes)).transpose()
    });
    let found = found.await?.ok_or(ApiError::NOT_RECEIVED)?;
    if let Err(errors) = check(state, &upload, &found) {
        state.writer.run("refuse_upload", move |conn, _| uploads::cancel(conn, user, id)).await?;
        store.wake.notify_one();
        return Err(errors.into());
    }
    let attachment = found.attachment(&upload);
    let (stored, unsent_for) = (attachment.clone(), unsent_for(state));
    let complete = move |conn: &mut _, _: &_| uploads::complete(conn, &upload, &writer, &stored, unsent_for);
    state.writer.run("complete_upload", complete).await?;
    Ok(attachment)
}

/// Changes the description of a complete upload that is not sent.
pub async fn describe(
    state: &AppState,
    caller: &Caller,
    id: AttachmentId,
    alt: AltText,
) -> Result<Attachment> {
    let user = caller.id();
    let describe = move |conn: &mut _, _: &_| uploads::describe(conn, user, id, &alt);
    state.writer.run("describe_upload", describe).await?.ok_or(ApiError::NOT_RECEIVED)
}

/// Cancels an upload that is not sent.
pub async fn cancel(state: &AppState, caller: &Caller, id: AttachmentId) -> Result<()> {
    let user = caller.id();
    state.writer.run("cancel_upload", move |conn, _| uploads::cancel(conn, user, id)).await?;
    if let Some(store) = &state.files {
        store.wake.notify_one();
    }
    Ok(())
}

/// What is found in the bytes of a file.
struct Found {
    size: i64,
    sha256: String,
    content_type: &'static str,
}

impl Found {
    fn in_bytes(mut bytes: impl Read) -> std::io::Result<Self> {
        let mut piece = vec![0; PIECE];
        let (mut hash, mut size, mut content_type) = (Sha256::new(), 0, None);
        loop {
            let count = fill(&mut bytes, &mut piece)?;
            let looked_at = &piece[..count.min(content_type::LOOKED_AT)];
            content_type.get_or_insert_with(|| content_type::of(looked_at, count == looked_at.len()));
            hash.update(&piece[..count]);
            size += count as i64;
            if count < piece.len() {
                break;
            }
        }
        let content_type = content_type.unwrap_or_default();
        Ok(Self { size, sha256: secrets::hex(&hash.finalize()), content_type })
    }

    fn attachment(self, upload: &Upload) -> Attachment {
        Attachment {
            id: upload.id,
            name: upload.name.clone(),
            size: self.size,
            content_type: self.content_type.to_owned(),
            sha256: self.sha256,
            width: None,
            height: None,
            blurhash: None,
            alt: upload.alt.clone(),
            state: AttachmentState::Clean,
            thumbnails: Vec::new(),
        }
    }
}

/// Checks that the bytes are those that were announced, and of an allowed type.
fn check(state: &AppState, upload: &Upload, found: &Found) -> std::result::Result<(), FieldErrors> {
    if found.size != upload.size {
        let but = if found.size > upload.size { "more".to_owned() } else { found.size.to_string() };
        let sentence = format!("The upload was announced with {} bytes, but {but} arrived.", upload.size);
        return Err(FieldErrors::of("size", sentence));
    }
    if upload.sha256.as_ref().is_some_and(|announced| *announced != found.sha256) {
        return Err(FieldErrors::of("sha256", "The bytes that arrived have another hash."));
    }
    if !state.config.files.file_types.allow(found.content_type) {
        let sentence = format!("Files of the type {} are not allowed.", found.content_type);
        return Err(FieldErrors::of("name", sentence));
    }
    Ok(())
}

/// The right of a request to write the bytes of a file. It ends with the request, also if the client disconnects.
pub(super) struct WritingRight<'a> {
    pub(super) state: &'a AppState,
    pub(super) file: FileId,
    pub(super) writer: String,
}

impl Drop for WritingRight<'_> {
    fn drop(&mut self) {
        let (file, writer) = (self.file, self.writer.clone());
        let end = move |conn: &mut _, _: &_| stored_files::end_writing(conn, file, &writer);
        // If it fails, the right ends by its time.
        self.state.writer.run_then("end_writing", end, |_| {});
    }
}
