//! The store of attachments' bytes: a folder, and what is found in the bytes.

pub mod content_type;
mod decoder;
pub mod folder;
pub mod metadata;
pub mod picture;
pub mod pieces;
pub mod scanner;
mod turned;

use std::{io, path::PathBuf, sync::Arc};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use decoder::DecoderThread;
pub use folder::{Folder, Mark};

use crate::core::model::Refusal;

/// The store of a server.
pub struct FileStore {
    pub folder: Folder,
    /// Notified when bytes may have to be deleted.
    pub wake: Notify,
    /// Notified when a file may have to be scanned.
    pub to_scan: Notify,
    /// Places for work on whole files, which keeps a core busy.
    places: Arc<Semaphore>,
    decoder: DecoderThread,
}

impl FileStore {
    /// Creates a store in a folder. `at_once`: how many files are worked on in parallel.
    pub fn new(folder: PathBuf, mark: Mark, at_once: usize) -> Self {
        Self {
            folder: Folder::new(folder, mark),
            wake: Notify::new(),
            to_scan: Notify::new(),
            places: Arc::new(Semaphore::new(at_once.max(1))),
            decoder: DecoderThread::start(),
        }
    }

    /// Waits for a place to work on a whole file.
    pub async fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.places.clone().acquire_owned().await.map_err(|_| Refusal::Busy)
    }

    /// Does work with the folder on a thread that may block. An error is logged.
    pub async fn work<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let folder = self.folder.clone();
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        self.logged(what, done.map_err(|_| Refusal::Internal)?)
    }

    /// Does work with the folder on the thread of pictures, after all that was asked for before. An error is logged.
    pub async fn work_on_pictures<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let folder = self.folder.clone();
        self.logged(what, self.decoder.run(move || work(&folder)).await?)
    }

    fn logged<T>(&self, what: &str, done: io::Result<T>) -> Result<T, Refusal> {
        done.map_err(|error| {
            let folder = self.folder.path().display();
            tracing::error!(%error, %folder, "the store of attachments failed to {what}; refusing the request");
            Refusal::StorageAway
        })
    }
}
