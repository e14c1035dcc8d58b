//! A file that gets its name only once it is complete.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::error::CliError;
use crate::{core::files, storage::db::url::COMPANIONS};

/// A file written under a temporary name beside its target. Deleted on drop unless finished.
pub(super) struct Unfinished {
    path: PathBuf,
    file: File,
    is_finished: bool,
}

impl Unfinished {
    /// Creates an empty file that only its owner can read, and locks it. A leftover of a killed process is
    /// replaced.
    pub(super) fn begin(target: &Path) -> Result<Self, CliError> {
        let path = beside(target, ".part");
        let failed = |reason: &dyn std::fmt::Display| {
            CliError::Refused(format!("cannot write {}: {reason}", path.display()))
        };
        let is_written = "another process is writing it";
        if let Ok(Some(left)) = files::open(&path) {
            // The other process may have renamed the file before it released the lock.
            if left.try_lock().is_err() || !is_at(&left, &path) {
                return Err(failed(&is_written));
            }
        }
        let file = files::replace(&path).map_err(|error| failed(&error))?;
        if file.try_lock().is_err() || !is_at(&file, &path) {
            return Err(failed(&is_written));
        }
        let unfinished = Self { path, file, is_finished: false };
        unfinished.remove_companions();
        Ok(unfinished)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Returns the current size, in bytes.
    pub(super) fn len(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Syncs the file to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Syncs the file and renames it to its target, which it replaces.
    pub(super) fn finish(mut self, target: &Path) -> io::Result<()> {
        self.sync()?;
        std::fs::rename(&self.path, target)?;
        self.is_finished = true;
        // Makes the rename durable.
        File::open(folder(target))?.sync_all()
    }

    fn remove_companions(&self) {
        for suffix in COMPANIONS {
            let _ = std::fs::remove_file(beside(&self.path, suffix));
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            self.remove_companions();
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Appends a suffix to a file name.
pub(super) fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(target);
    name.push(suffix);
    name.into()
}

fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}
