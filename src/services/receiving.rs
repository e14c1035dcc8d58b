//! Receives the bytes of uploads.

use std::{
    fs::File,
    io::Write,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;

use super::uploads::{WritingRight, store, unsent_for};
use crate::{
    core::{
        model::{AttachmentId, FieldErrors, FileId},
        secrets,
    },
    error::ApiError,
    files::FileStore,
    state::AppState,
    storage::commands::uploads::{Writing, begin_receiving},
};

type Result<T> = std::result::Result<T, ApiError>;

/// A connection on which no byte arrives for so long has failed.
const SILENT_FOR: Duration = Duration::from_secs(60);

/// Interval of extending the right to write.
const EXTEND_EVERY: Duration = Duration::from_secs(8);

/// Bytes that are written to the disk at once.
const PIECE: usize = 256 << 10;

/// The disk is synced after this many bytes. One large sync would delay the commits of the database.
const SYNC_EVERY: usize = 4 << 20;

/// Receives the bytes of an upload, and returns their number. Bytes beyond the announced size are not kept, but their
/// being there is. `length`: the length of the body, if the client has announced it.
pub async fn receive<E>(
    state: &AppState,
    id: AttachmentId,
    length: Option<u64>,
    body: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
) -> Result<u64> {
    let store = store(state)?;
    let max = state.config.files.file_max_bytes;
    if length.is_some_and(|length| length > max.unsigned_abs()) {
        return Err(ApiError::FileTooLarge { max });
    }
    let (writer, unsent_for) = (secrets::random_name::<8>(), unsent_for(state));
    let name = writer.clone();
    let begin = move |conn: &mut _, _: &_| begin_receiving(conn, id, &name, unsent_for);
    let upload = match state.writer.run("begin_receiving", begin).await? {
        Writing::Begun(upload) => upload,
        Writing::IsComplete(_) => return Err(ApiError::IS_COMPLETE),
        Writing::IsBusy => return Err(ApiError::IS_BUSY),
    };
    let right = WritingRight::new(state, upload.file, writer);
    let received = receive_bytes(&store, &right, upload.size.unsigned_abs(), max.unsigned_abs(), body).await;
    right.end().await;
    received
}

async fn receive_bytes<E>(
    store: &FileStore,
    right: &WritingRight<'_>,
    announced: u64,
    max: u64,
    body: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
) -> Result<u64> {
    let (file, name) = (right.file, right.writer.clone());
    let part = store.work("take an upload", move |folder| folder.begin(file, &name)).await?;
    let mut part = IncomingBytes {
        store,
        right,
        file: Some(part),
        keeps: announced + 1,
        received: 0,
        unsynced: 0,
        is_whole: false,
        extended: Instant::now(),
    };
    part.receive(body, max).await?;
    part.finish().await
}

/// The bytes of a body that has not arrived whole.
struct IncomingBytes<'a> {
    store: &'a FileStore,
    right: &'a WritingRight<'a>,
    /// `None` while another thread writes it.
    file: Option<File>,
    /// Bytes that are kept.
    keeps: u64,
    received: u64,
    unsynced: usize,
    is_whole: bool,
    extended: Instant,
}

impl IncomingBytes<'_> {
    async fn receive<E>(
        &mut self,
        mut body: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
        max: u64,
    ) -> Result<()> {
        let mut piece = BytesMut::with_capacity(PIECE);
        let mut heard = Instant::now();
        loop {
            let next = timeout(EXTEND_EVERY, body.next()).await;
            if self.extended.elapsed() >= EXTEND_EVERY {
                self.extend().await?;
            }
            match next {
                Err(_) if heard.elapsed() >= SILENT_FOR => return Err(ApiError::BodyTooSlow),
                Err(_) => {}
                Ok(None) => break,
                Ok(Some(Err(_))) => {
                    return Err(FieldErrors::whole("The request body did not arrive whole.").into());
                }
                Ok(Some(Ok(bytes))) => {
                    heard = Instant::now();
                    let left = self.keeps.saturating_sub(self.received) as usize;
                    self.received += bytes.len() as u64;
                    if self.received > max {
                        return Err(ApiError::FileTooLarge { max: max as i64 });
                    }
                    piece.extend_from_slice(&bytes[..bytes.len().min(left)]);
                    if piece.len() >= PIECE {
                        self.write(piece.split()).await?;
                    }
                }
            }
        }
        self.write(piece).await
    }

    async fn write(&mut self, piece: BytesMut) -> Result<()> {
        let Some(mut file) = self.file.take() else { return Err(ApiError::IS_BUSY) };
        self.unsynced += piece.len();
        let is_due = self.unsynced >= SYNC_EVERY;
        if is_due {
            self.unsynced = 0;
        }
        let write = move |_: &_| {
            file.write_all(&piece)?;
            if is_due {
                file.sync_data()?;
            }
            Ok(file)
        };
        self.file = Some(self.store.work("write an upload", write).await?);
        Ok(())
    }

    /// Extends the right to write. Fails if the upload was cancelled, or if another request took the place of this one.
    async fn extend(&mut self) -> Result<()> {
        if !self.right.extend().await? {
            return Err(ApiError::IS_BUSY);
        }
        self.extended = Instant::now();
        Ok(())
    }

    async fn finish(mut self) -> Result<u64> {
        self.extend().await?;
        let Some(part) = self.file.take() else { return Err(ApiError::IS_BUSY) };
        let (file, writer) = (self.right.file, self.right.writer.clone());
        self.store.work("keep an upload", move |folder| folder.finish(&part, file, &writer)).await?;
        self.is_whole = true;
        Ok(self.received)
    }
}

impl Drop for IncomingBytes<'_> {
    fn drop(&mut self) {
        if self.is_whole {
            return;
        }
        let (folder, file, writer): (_, FileId, _) =
            (self.store.folder.clone(), self.right.file, self.right.writer.clone());
        // What it leaves is removed by the next request for the upload, or with the upload.
        drop(tokio::task::spawn_blocking(move || folder.abandon(file, &writer)));
    }
}
