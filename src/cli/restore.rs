//! `greenroom restore`: replaces the database by a copy.

use std::{
    fmt::Display,
    fs::File,
    io::{Read, Write},
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::{
    attachments,
    backup::FILES,
    database::say_and_commit,
    error::{CliError, reason},
    progress::{Progress, Unit},
    unfinished::{Unfinished, beside},
};
use crate::{
    config::{Database, FileSettings},
    core::{files, model::Seq},
    files::Folder,
    output::OutputError,
    storage::{
        Access, DatabaseUrl, OpenError, StorageError,
        db::{
            holders,
            migrations::{self, SchemaVersion},
            url::COMPANIONS,
        },
        maintenance::{backup, checkpoint, restore_epoch, schema_check},
    },
};

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// A copy made by `greenroom backup`; leave it out if the database was restored by other means, as with
    /// PostgreSQL
    file: Option<PathBuf>,
    /// Replace the database if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    files: FileSettings,
}

/// Timeout for waiting on processes that have just opened the file.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(2);

const BUSY: &str = "another process reads or writes it";

impl Restore {
    pub(super) fn run(self) -> Result<(), CliError> {
        let url = &self.database.database_url;
        match (&self.file, url) {
            (None, url) => {
                url.expect_exists()?;
                expect_unused(url)?;
                let found = url.open(Access::Read).map_err(StorageError::from);
                expect_ours(&url.name(), found.and_then(|mut conn| schema_check::differences(&mut conn)))?;
                let raised = raise_numbers(url, |number| self.done(number));
                Ok(raised.map_err(|error| failed(&url.name(), &reason(&error)))??)
            }
            (Some(copy), DatabaseUrl::Sqlite(path)) => self.put_in_place(copy, Path::new(path)),
            (Some(_), DatabaseUrl::Postgres(_)) => {
                let sentence = "a file is restored to SQLite only; for PostgreSQL see docs/DEPLOY.md";
                Err(CliError::Refused(sentence.to_owned()))
            }
        }
    }

    /// Returns the success message.
    fn done(&self, number: Seq) -> String {
        let name = self.database.database_url.name();
        format!("{name} is restored; new events are numbered from {number} on")
    }

    fn put_in_place(&self, copy: &Path, path: &Path) -> Result<(), CliError> {
        let failed = |why: &dyn Display| failed(&copy.display(), why);
        let source = File::open(copy).map_err(|error| failed(&error))?;
        if beside(copy, "-wal").exists() {
            return Err(failed(&"it is a database in use; give a copy made by greenroom backup"));
        }
        self.expect_replaceable(path)?;
        let unfinished = Unfinished::begin(path)?;
        own(unfinished.file(), path).map_err(|error| failed(&error))?;
        pour(source, unfinished.file()).map_err(|error| failed(&error))?;
        // Checks the file that is put in place; the source may have been replaced since it was read.
        let found = schema_check::look(&unfinished.path().display().to_string());
        expect_ours(&copy.display(), found)?;
        // Printed before the rename: if the message cannot be printed, nothing is restored.
        let part = DatabaseUrl::Sqlite(unfinished.path().display().to_string());
        let raised = raise_numbers(&part, |number| self.done(number));
        raised.map_err(|error| failed(&reason(&error)))??;
        let target = self.restore_files(copy, &part)?;
        for suffix in COMPANIONS {
            // SQLite would use them with the restored file.
            let _ = std::fs::remove_file(beside(path, suffix));
        }
        unfinished.finish(path).map_err(|error| failed(&error))?;
        if let Some(target) = target {
            // What the database that was replaced had and the copy does not have.
            attachments::remove_unknown(&mut self.database.database_url.open(Access::Read)?, &target)?;
        }
        Ok(())
    }

    /// Brings the attachments of a copy into the folder of the database. Returns that folder, if the copy has some.
    fn restore_files(&self, copy: &Path, part: &DatabaseUrl) -> Result<Option<Folder>, CliError> {
        let mut conn = backup::open_copy(part)?;
        let url = &self.database.database_url;
        let from = attachments::at(&mut conn, beside(copy, FILES))?;
        let Some((from, to)) = from.zip(attachments::folder_of(&mut conn, url, &self.files)?) else {
            return Ok(None);
        };
        attachments::expect_ours(&to)?;
        let copied = attachments::copy(&mut conn, &from, &to)?;
        if copied.missing > 0 {
            note!("{} attachments are not in {}", copied.missing, from.path().display());
        }
        Ok(Some(to))
    }

    fn expect_replaceable(&self, path: &Path) -> Result<(), CliError> {
        if files::exists(path) && !self.force {
            let sentence = format!("{} exists already; give --force to replace it", path.display());
            return Err(CliError::Refused(sentence));
        }
        expect_unused(&self.database.database_url)
    }
}

fn expect_unused(url: &DatabaseUrl) -> Result<(), CliError> {
    if url.is_used() {
        return Err(CliError::Refused(format!("{} is in use by {}", url.name(), users(url))));
    }
    Ok(())
}

/// Returns the names of the processes that have a database open, and what to do about them.
fn users(url: &DatabaseUrl) -> String {
    let holders = url.holders();
    let names = holders::describe(&holders);
    let what = match holders.len() {
        _ if url.is_served() => "the server",
        0 | 1 => "it",
        _ => "them",
    };
    format!("{names}; stop {what} first")
}

fn failed(what: &dyn Display, why: &dyn Display) -> CliError {
    CliError::Refused(format!("cannot restore {what}: {why}"))
}

/// Fails if a file's schema differs from Greenroom's. Foreign triggers and views would run in every process
/// that opens it.
fn expect_ours(what: &dyn Display, found: Result<Vec<String>, StorageError>) -> Result<(), CliError> {
    let found = found.map_err(|error| failed(what, &reason(&error)))?;
    if found.is_empty() { Ok(()) } else { Err(failed(what, &found.join("; "))) }
}

/// Gives a file the owner of the file that it replaces, if there is one. The mode is not copied, since it may
/// be too permissive.
fn own(file: &File, replaced: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(replaced) {
        Ok(replaced) if replaced.is_file() => fchown(file, Some(replaced.uid()), Some(replaced.gid())),
        _ => Ok(()),
    }
}

fn pour(mut from: File, mut to: &File) -> std::io::Result<()> {
    let mut progress = Progress::new("Restoring", Unit::Bytes, from.metadata()?.len());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count])?;
        progress.advance(count as u64);
    }
}

/// Raises the sequence numbers of a database that no server uses beyond all that were used before, and prints
/// the text of `done`.
fn raise_numbers(
    url: &DatabaseUrl,
    done: impl Fn(Seq) -> String,
) -> Result<Result<(), OutputError>, StorageError> {
    let mut conn = url.open(Access::Write)?;
    if migrations::schema_version(&mut conn)? == SchemaVersion::Newer {
        return Err(OpenError::new(&url.name(), migrations::NEWER).into());
    }
    let said = say_and_commit(&mut conn, |conn| restore_epoch::raise_numbers(conn).map(&done))?;
    drop(conn);
    // Only the file itself is put in place, so it must be complete without its `-wal`.
    match checkpoint::complete(url, CHECKPOINT_WITHIN)? {
        true => Ok(said),
        false => Err(OpenError::new(&url.name(), BUSY).into()),
    }
}
