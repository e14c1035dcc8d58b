//! `greenroom backup`: copies a SQLite database while a server writes to it.

use std::{
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use super::{
    attachments,
    error::{CliError, reason},
    progress::{Progress, Unit},
    unfinished::{Unfinished, beside},
};
use crate::{
    config::{Database, FileSettings},
    core::files,
    files::Folder,
    storage::{Access, AnyConn, DatabaseUrl, StorageError, maintenance::backup},
};

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to copy the database to
    file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    files: FileSettings,
}

/// Suffix of the folder with the attachments of a copy.
pub(super) const FILES: &str = ".files";

/// Interval of progress updates.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The copy is synced to disk after this many bytes. One large sync would stall the server's own commits.
const SYNC_EVERY: u64 = 2 << 20;

impl Backup {
    pub(super) fn run(self) -> Result<(), CliError> {
        let url = &self.database.database_url;
        let DatabaseUrl::Sqlite(source) = url else { return Err(not_for_postgres()) };
        url.expect_exists()?;
        // The server's work has priority over the copy.
        let _ = rustix::process::nice(19);
        // A read-only connection is not allowed to copy.
        let mut conn = url.open(Access::Write)?;
        self.expect_safe_target(Path::new(source))?;
        let total = backup::size(&mut conn).map_err(|error| self.failed(&reason(&error)))?;
        let progress = Progress::new("Copying", Unit::Bytes, total);
        actix_web::rt::System::new().block_on(self.copy(conn, progress))
    }

    async fn copy(&self, conn: AnyConn, mut progress: Progress) -> Result<(), CliError> {
        let interrupted = interruption()?;
        let copy = Unfinished::begin(&self.file)?;
        let url = &self.database.database_url;
        let mut source = url.open(Access::Read)?;
        let folders = self.folders(&mut source)?;
        // First as they are now: what is deleted while the database is copied is in the copy.
        self.copy_files(&mut source, &folders)?;
        let copying = begin(conn, copy.path())?;
        watch(copying, interrupted, &copy, &mut progress).await.map_err(|why| self.failed(&why))?;
        backup::mark(copy.path())?;
        let copied = self.copy_new_files(&copy, &folders)?;
        self.expect_free()?;
        let size = Unit::Bytes.written(copy.len());
        copy.sync().map_err(|error| self.failed(&error))?;
        let took = progress.end();
        // Printed before the rename: if this line cannot be written, no copy is left.
        say!("{}: {size} in {:.1} s", self.file.display(), took.as_secs_f64())?;
        if let Some((to, copied)) = copied {
            let (files, size) = (copied.files, Unit::Bytes.written(copied.bytes));
            say!("{}: {files} attachments, {size}", to.path().display())?;
        }
        copy.finish(&self.file).map_err(|error| self.failed(&error))
    }

    /// Returns the folder of the attachments, and the one beside the copy; `None`: there are no attachments.
    fn folders(&self, source: &mut AnyConn) -> Result<Option<(Folder, Folder)>, CliError> {
        let from = attachments::folder_of(source, &self.database.database_url, &self.files)?;
        let to = attachments::at(source, beside(&self.file, FILES))?;
        Ok(from.zip(to))
    }

    fn copy_files(
        &self,
        conn: &mut AnyConn,
        folders: &Option<(Folder, Folder)>,
    ) -> Result<attachments::Copied, CliError> {
        match folders {
            Some((from, to)) => attachments::copy(conn, from, to),
            None => Ok(attachments::Copied::default()),
        }
    }

    /// Copies the attachments that came while the database was copied. What the copy does not know is not kept.
    fn copy_new_files<'a>(
        &self,
        copy: &Unfinished,
        folders: &'a Option<(Folder, Folder)>,
    ) -> Result<Option<(&'a Folder, attachments::Copied)>, CliError> {
        let Some((_, to)) = folders else { return Ok(None) };
        let copied = DatabaseUrl::Sqlite(copy.path().display().to_string());
        let mut conn = backup::open_copy(&copied)?;
        let copied = self.copy_files(&mut conn, folders)?;
        attachments::remove_unknown(&mut conn, to)?;
        Ok(Some((to, copied)))
    }

    /// Fails if the copy would overwrite or corrupt another file.
    fn expect_safe_target(&self, source: &Path) -> Result<(), CliError> {
        let is_source = std::fs::canonicalize(&self.file).ok() == std::fs::canonicalize(source).ok();
        if is_source {
            return Err(CliError::Refused(format!("{} is the database itself", self.file.display())));
        }
        for suffix in ["-wal", "-journal"] {
            let companion = beside(&self.file, suffix);
            // SQLite would use it with the copy.
            if files::exists(&companion) {
                let sentence =
                    format!("{} exists; give a file that is not a database in use", companion.display());
                return Err(CliError::Refused(sentence));
            }
        }
        self.expect_free()
    }

    fn expect_free(&self) -> Result<(), CliError> {
        if !self.force && files::exists(&self.file) {
            let sentence = format!("{} exists already; give --force to replace it", self.file.display());
            return Err(CliError::Refused(sentence));
        }
        Ok(())
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> CliError {
        CliError::Refused(format!("{} was not written: {reason}", self.file.display()))
    }
}

type Copying = oneshot::Receiver<Result<(), StorageError>>;

/// Copies on a separate thread. If the command is interrupted, the thread ends with the process.
fn begin(mut conn: AnyConn, file: &Path) -> Result<Copying, CliError> {
    let file = std::path::absolute(file)?;
    let Some(file) = file.to_str().map(str::to_owned) else {
        return Err(CliError::Refused("give a file whose name is UTF-8".to_owned()));
    };
    let (done, copying) = oneshot::channel();
    std::thread::Builder::new().name("copying".to_owned()).spawn(move || {
        let _ = done.send(backup::copy_into(&mut conn, &file));
    })?;
    Ok(copying)
}

/// Returns a future that completes on SIGINT or SIGTERM. The signals are handled from the call on.
fn interruption() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

/// Waits for the copy or an interruption, updates the progress and syncs the file.
async fn watch(
    mut copying: Copying,
    interrupted: impl Future<Output = ()>,
    copy: &Unfinished,
    progress: &mut Progress,
) -> Result<(), String> {
    let mut interrupted = pin!(interrupted);
    let (mut synced, mut is_interrupted) = (0, false);
    loop {
        tokio::select! {
            result = &mut copying => {
                let result = result.map_err(|error| error.to_string())?;
                result.map_err(|error| reason(&error))?;
                return if is_interrupted { Err("interrupted".to_owned()) } else { Ok(()) };
            }
            () = &mut interrupted, if !is_interrupted => is_interrupted = true,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let size = copy.len();
        // While the file is empty, SQLite may be about to open it, and would create it again.
        if is_interrupted && size > 0 {
            return Err("interrupted".to_owned());
        }
        progress.reach(size);
        if size > synced + SYNC_EVERY {
            synced = size;
            copy.sync().map_err(|error| error.to_string())?;
        }
    }
}

fn not_for_postgres() -> CliError {
    let sentence =
        "this copies SQLite only; PostgreSQL has pg_dump and point-in-time recovery, see docs/DEPLOY.md";
    CliError::Refused(sentence.to_owned())
}
