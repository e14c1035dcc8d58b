//! The bytes of attachments, in the commands that copy or check a database.

use std::path::PathBuf;

use super::error::{CliError, reason};
use crate::{
    config::FileSettings,
    core::model::FileId,
    files::Folder,
    storage::{
        AnyConn, DatabaseUrl, StorageError,
        tables::{settings, stored_files},
    },
};

/// Files that are read from the database at once.
const BATCH: i64 = 500;

/// Returns the folder of a database's attachments; `None`: the database has none yet, or the settings name none.
pub(super) fn folder_of(
    conn: &mut AnyConn,
    url: &DatabaseUrl,
    files: &FileSettings,
) -> Result<Option<Folder>, CliError> {
    match files.folder(url) {
        Some(path) => at(conn, path),
        None => Ok(None),
    }
}

/// Returns a folder with the mark of a database; `None`: the database has no attachments yet.
pub(super) fn at(conn: &mut AnyConn, path: PathBuf) -> Result<Option<Folder>, CliError> {
    let mark = settings::get(conn, settings::FILE_MARK)?;
    Ok(mark.map(|mark| Folder::new(path, mark.into())))
}

/// Refuses a folder with attachments of another database.
pub(super) fn expect_ours(folder: &Folder) -> Result<(), CliError> {
    folder.look().map(drop).map_err(|error| refused(folder, &error))
}

fn refused(folder: &Folder, why: &dyn std::fmt::Display) -> CliError {
    CliError::Refused(format!("cannot use {} for attachments: {why}", folder.path().display()))
}

/// Compares the files of a folder with the rows of the database. Returns a sentence for each difference. A server may
/// change both meanwhile.
pub(super) fn differences(conn: &mut AnyConn, folder: &Folder) -> Result<Vec<String>, CliError> {
    expect_ours(folder)?;
    let mut found = Vec::new();
    each_stored(conn, |conn, file| {
        // It may have been deleted since it was read.
        if !folder.has(file) && stored_files::is_kept(conn, file)? {
            found.push(format!("attachment file {file}: it is not in {}", folder.path().display()));
        }
        Ok(())
    })?;
    let walked = folder.walk(|path, file| {
        let is_known = match file {
            Some(file) => stored_files::is_known(conn, file)?,
            None => false,
        };
        if !is_known && path.exists() {
            found.push(format!("{}: the database does not know it", path.display()));
        }
        Ok::<_, CliError>(())
    });
    walked?;
    Ok(found)
}

/// Calls `each` with all files whose bytes are in the store.
fn each_stored(
    conn: &mut AnyConn,
    mut each: impl FnMut(&mut AnyConn, FileId) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let mut last = FileId(0);
    loop {
        let files = stored_files::after(conn, last, BATCH)?;
        let Some((end, _)) = files.last() else { return Ok(()) };
        last = *end;
        for (file, is_stored) in files {
            if is_stored {
                each(conn, file)?;
            }
        }
    }
}

/// Files that were copied, and those that were not there.
#[derive(Default)]
pub(super) struct Copied {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) missing: u64,
}

/// Copies the files that a database knows from one folder to another.
pub(super) fn copy(conn: &mut AnyConn, from: &Folder, to: &Folder) -> Result<Copied, CliError> {
    let mut copied = Copied::default();
    if !from.look().map_err(|error| refused(from, &error))? {
        return Ok(copied);
    }
    to.ensure().map_err(|error| refused(to, &error))?;
    each_stored(conn, |_, file| {
        match from.copy_to(to, file).map_err(|error| StorageError::Unavailable(error.to_string()))? {
            Some(bytes) => {
                copied.files += 1;
                copied.bytes += bytes;
            }
            None => copied.missing += 1,
        }
        Ok(())
    })
    .map_err(|error| refused(to, &reason(&error)))?;
    Ok(copied)
}

/// Removes the files that a database does not know.
pub(super) fn remove_unknown(conn: &mut AnyConn, folder: &Folder) -> Result<(), CliError> {
    folder.walk(|_, file| {
        if let Some(file) = file
            && !stored_files::is_known(conn, file)?
        {
            folder.delete(file)?;
        }
        Ok(())
    })
}
