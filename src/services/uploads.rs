//! Services for uploads: announced, completed and cancelled. Their bytes arrive by [`super::receiving`].

use std::{
    io::{Read, Write},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};

use crate::{
    auth::Caller,
    core::{
        model::{
            AltText, Attachment, AttachmentId, AttachmentState, ChatId, FieldErrors, FileId, Timestamp,
            UserId, permission::Ability,
        },
        secrets,
    },
    error::ApiError,
    files::{
        FileStore, Folder, content_type,
        folder::fill,
        picture::{self, Picture},
    },
    services::checked::Checked,
    state::AppState,
    storage::{
        commands::uploads::{self, COMPLETING, Reserved, UploadLimits, WRITE_FOR, Writing},
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
    store.work("be created", Folder::ensure).await?;
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
    let right = WritingRight::new(state, upload.file, writer.clone());
    let completed = complete_received(state, &store, user, upload, writer).await;
    match completed {
        // The right has ended in the transaction.
        Ok(_) => right.forget(),
        Err(_) => right.end().await,
    }
    completed
}

async fn complete_received(
    state: &AppState,
    store: &Arc<FileStore>,
    user: UserId,
    upload: Upload,
    writer: String,
) -> Result<Attachment> {
    let id = upload.id;
    let place = store.place().await?;
    let file = upload.file;
    let found = store.work("be read", move |folder| {
        let _place = place;
        folder.open(file)?.map(Found::in_bytes).transpose()
    });
    let found = found.await?.ok_or(ApiError::NOT_RECEIVED)?;
    if let Err(errors) = check(state, &upload, &found) {
        state.writer.run("refuse_upload", move |conn, _| uploads::cancel(conn, user, id)).await?;
        store.wake.notify_one();
        return Err(errors.into());
    }
    let mut attachment = found.attachment(&upload, state.config.files.initial_state());
    let replacement = match picture_of(store, &attachment, file).await? {
        Some(picture) => Some(keep(state, store, &upload, &writer, picture, &mut attachment).await?),
        None => None,
    };
    let (stored, unsent_for) = (attachment.clone(), unsent_for(state));
    let complete = move |conn: &mut _, _: &_| {
        uploads::complete(conn, &upload, &writer, (&stored, replacement), unsent_for)
    };
    if !state.writer.run("complete_upload", complete).await? {
        return Err(ApiError::IS_BUSY);
    }
    store.wake.notify_one();
    store.to_scan.notify_one();
    Ok(attachment)
}

/// Makes a picture of a file; `None`: it is a plain file.
async fn picture_of(store: &FileStore, attachment: &Attachment, file: FileId) -> Result<Option<Picture>> {
    if !picture::is_one(&attachment.content_type) {
        return Ok(None);
    }
    let kind = attachment.content_type.clone();
    let made = store.work_on_pictures("be read", move |folder| {
        let Some(mut bytes) = folder.open(file)? else { return Ok(None) };
        let mut whole = Vec::with_capacity(bytes.metadata()?.len() as usize);
        bytes.read_to_end(&mut whole)?;
        Ok(picture::make(&kind, whole))
    });
    Ok(made.await?)
}

/// Keeps a picture as a file that is to take the place of the upload's, and describes it. What is written when the server
/// is killed has a row without references, and is cleaned up.
async fn keep(
    state: &AppState,
    store: &FileStore,
    upload: &Upload,
    writer: &str,
    picture: Picture,
    attachment: &mut Attachment,
) -> Result<FileId> {
    let Picture { bytes, width, height, blurhash, thumbnails } = picture;
    attachment.size = bytes.len() as i64;
    attachment.sha256 = secrets::hash(&bytes);
    (attachment.width, attachment.height) = (Some(width.into()), Some(height.into()));
    attachment.blurhash = blurhash;
    attachment.thumbnails = thumbnails.iter().map(|(size, _)| size.clone()).collect();
    let (source, name) = (upload.clone(), writer.to_owned());
    let begin = move |conn: &mut _, _: &_| uploads::begin_replacing(conn, &source, &name);
    let file = state.writer.run("begin_replacing", begin).await?;
    let name = writer.to_owned();
    let write = move |folder: &Folder| {
        for (size, thumbnail) in &thumbnails {
            if let Some(name) = picture::thumbnail_name(size.width.max(size.height)) {
                folder.add(file, &name, thumbnail)?;
            }
        }
        let mut part = folder.begin(file, &name)?;
        part.write_all(&bytes)?;
        folder.finish(&part, file, &name)
    };
    store.work_on_pictures("keep a picture", write).await?;
    Ok(file)
}

/// Changes the description of a complete upload that is not sent.
pub async fn describe(
    state: &AppState,
    caller: &Caller,
    id: AttachmentId,
    alt: Checked<AltText>,
) -> Result<Attachment> {
    let user = caller.id();
    let owned = state.readers.query_one(move |conn| uploads::owned(conn, user, id).map(drop));
    let alt = alt.authorize_errors(owned).await?;
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

    fn attachment(self, upload: &Upload, state: AttachmentState) -> Attachment {
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
            state,
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
    state: &'a AppState,
    pub(super) file: FileId,
    pub(super) writer: String,
    is_held: bool,
}

impl<'a> WritingRight<'a> {
    pub(super) fn new(state: &'a AppState, file: FileId, writer: String) -> Self {
        Self { state, file, writer, is_held: true }
    }

    /// Extends the right. Returns whether the request still has it.
    pub(super) async fn extend(&self) -> Result<bool> {
        let (file, writer) = (self.file, self.writer.clone());
        let go_on = move |conn: &mut _, _: &_| {
            stored_files::go_on_writing(conn, file, &writer, Timestamp::now().after(WRITE_FOR))
        };
        Ok(self.state.writer.run("go_on_writing", go_on).await?)
    }

    /// Ends the right, before the request is answered: the client's next request may need it.
    pub(super) async fn end(mut self) {
        self.is_held = false;
        let (file, writer) = (self.file, self.writer.clone());
        let end = move |conn: &mut _, _: &_| stored_files::end_writing(conn, file, &writer);
        // If it fails, the right ends by its time.
        let _ = self.state.writer.run("end_writing", end).await;
    }

    /// Does nothing, since the right has ended already.
    fn forget(mut self) {
        self.is_held = false;
    }
}

impl Drop for WritingRight<'_> {
    fn drop(&mut self) {
        if self.is_held {
            let (file, writer) = (self.file, self.writer.clone());
            let end = move |conn: &mut _, _: &_| stored_files::end_writing(conn, file, &writer);
            self.state.writer.run_then("end_writing", end, |_| {});
        }
    }
}
