//! `greenroom restore`: puts a copy in the place of the database.

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
    database::say_and_commit,
    error::{CliError, reason},
    progress::{Progress, Unit},
    unfinished::{Unfinished, beside},
};
use crate::{
    config::Database,
    core::{files, model::Seq},
    output::Unsaid,
    storage::{
        Access, DatabaseUrl, OpenError, StorageError,
        db::{
            holders,
            migrations::{self, Standing},
            url::COMPANIONS,
        },
        maintenance::{checkpoint, foreign, restore_epoch},
    },
};

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// A copy that `greenroom backup` made; none where the database was put back by other means, as PostgreSQL is
    file: Option<PathBuf>,
    /// Replace the database where there is one
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: Database,
}

/// How long it waits for others who have just opened the file.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(2);

const BUSY: &str = "another process has it open, and reads or writes";

impl Restore {
    pub(super) fn run(self) -> Result<(), CliError> {
        let url = &self.database.database_url;
        match (&self.file, url) {
            (None, url) => {
                url.expect_there()?;
                expect_unused(url)?;
                let found = url.open(Access::Read).map_err(StorageError::from);
                expect_ours(&url.name(), found.and_then(|mut conn| foreign::differences(&mut conn)))?;
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

    /// What is said of it.
    fn done(&self, number: Seq) -> String {
        let name = self.database.database_url.name();
        format!("{name} is put back; what is new in it is numbered from {number} on")
    }

    fn put_in_place(&self, copy: &Path, path: &Path) -> Result<(), CliError> {
        let failed = |why: &dyn Display| failed(&copy.display(), why);
        let source = File::open(copy).map_err(|error| failed(&error))?;
        if beside(copy, "-wal").exists() {
            return Err(failed(&"it is a database in use; give a copy that greenroom backup made"));
        }
        self.expect_replaceable(path)?;
        let unfinished = Unfinished::begin(path)?;
        own(unfinished.file(), path).map_err(|error| failed(&error))?;
        pour(source, unfinished.file()).map_err(|error| failed(&error))?;
        // Of the file that is put in place: the copy may be another one by now.
        let found = foreign::look(&unfinished.path().display().to_string());
        expect_ours(&copy.display(), found)?;
        // Said before it is in its place: what could not be said is not done either.
        let part = DatabaseUrl::Sqlite(unfinished.path().display().to_string());
        let raised = raise_numbers(&part, |number| self.done(number));
        raised.map_err(|error| failed(&reason(&error)))??;
        for suffix in COMPANIONS {
            // SQLite would take them for the copy's.
            let _ = std::fs::remove_file(beside(path, suffix));
        }
        unfinished.finish(path).map_err(|error| failed(&error))
    }

    fn expect_replaceable(&self, path: &Path) -> Result<(), CliError> {
        if files::is_taken(path) && !self.force {
            let sentence = format!("{} is there already; give --force to replace it", path.display());
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

/// What has a database open, and what to do about it.
fn users(url: &DatabaseUrl) -> String {
    let holders = url.holders();
    let names = holders::named(&holders);
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

/// Fails where a file has what would be carried out by whoever opens it, or is not as Greenroom makes it.
fn expect_ours(what: &dyn Display, found: Result<Vec<String>, StorageError>) -> Result<(), CliError> {
    let found = found.map_err(|error| failed(what, &reason(&error)))?;
    if found.is_empty() { Ok(()) } else { Err(failed(what, &found.join("; "))) }
}

/// Gives a file the owner of the one that it is to replace, if there is one. The mode of that may have been too wide.
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

/// Has the numbers of a database that no server uses go on from where none was, and prints what `done` makes of that.
fn raise_numbers(
    url: &DatabaseUrl,
    done: impl Fn(Seq) -> String,
) -> Result<Result<(), Unsaid>, StorageError> {
    let mut conn = url.open(Access::Write)?;
    if migrations::standing(&mut conn)? == Standing::Newer {
        return Err(OpenError::new(&url.name(), migrations::NEWER).into());
    }
    let said = say_and_commit(&mut conn, |conn| restore_epoch::raise_numbers(conn).map(&done))?;
    drop(conn);
    // A copy goes without what would be left beside it.
    match checkpoint::complete(url, CHECKPOINT_WITHIN)? {
        true => Ok(said),
        false => Err(OpenError::new(&url.name(), BUSY).into()),
    }
}
