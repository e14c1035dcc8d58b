//! Deletes the bytes of attachments that are gone, and uploads whose time is over.

use std::{sync::Arc, time::Duration};

use actix_web::web::Data;

use crate::{
    core::model::{FileId, Refusal},
    files::FileStore,
    state::AppState,
    storage::{commands::uploads, tables::stored_files},
};

/// Interval of looking for work, beside the notifications. Another node may have work for this one.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Most files that are deleted between two looks at the database.
const FILES: i64 = 100;

/// Cleans up at the start, on notification, and at an interval. A failure is retried for ever.
pub(super) async fn clean_up(state: Data<AppState>) {
    let Some(store) = state.files.clone() else { return };
    loop {
        if let Err(refusal) = clean_up_once(&state, &store).await {
            tracing::warn!(?refusal, "attachments could not be cleaned up; the next try is in 10 s");
        }
        let _ = tokio::time::timeout(LOOK_EVERY, store.wake.notified()).await;
    }
}

async fn clean_up_once(state: &AppState, store: &Arc<FileStore>) -> Result<(), Refusal> {
    if state.readers.query_one(uploads::has_expired).await? {
        while state.writer.run("remove_expired_uploads", |conn, _| uploads::remove_expired(conn)).await? {
            actix_rt::task::yield_now().await;
        }
    }
    loop {
        let dropped = state.readers.query_one(|conn| stored_files::dropped(conn, FILES)).await?;
        if dropped.is_empty() {
            return Ok(());
        }
        let deleted = delete(store, dropped).await?;
        if deleted.is_empty() {
            return Ok(());
        }
        // The bytes go first: what a crash leaves is a row, which is found again.
        state.writer.run("forget_files", move |conn, _| stored_files::forget(conn, &deleted)).await?;
    }
}

/// Deletes the bytes of files. Returns those whose bytes are gone.
async fn delete(store: &FileStore, files: Vec<FileId>) -> Result<Vec<FileId>, Refusal> {
    let delete = move |folder: &crate::files::Folder| {
        let mut deleted = Vec::with_capacity(files.len());
        for file in files {
            match folder.delete(file) {
                Ok(()) => deleted.push(file),
                Err(error) => {
                    let folder = folder.path().display();
                    tracing::warn!(%error, %folder, %file, "an attachment could not be deleted; the next try is in 10 s");
                }
            }
        }
        Ok(deleted)
    };
    store.work("delete attachments", delete).await
}
