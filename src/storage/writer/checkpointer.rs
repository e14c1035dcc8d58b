//! The checkpoint thread (SQLite): copies pages from the `-wal` file into the database file.
//!
//! By default SQLite checkpoints inside a commit. Every write would then wait for the tens of milliseconds it
//! takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, Thread},
    time::Duration,
};

use diesel::connection::SimpleConnection;

use crate::storage::{Access, AnyConn, DatabaseUrl, OpenError, StorageError, db::sql::sql};

/// Pages in `-wal` from which on the thread checkpoints. A checkpoint copies a page once, however many
/// commits touched it, so rare checkpoints are cheap. A larger `-wal` would make the start after a crash
/// slow.
const START_PAGES: i64 = 8_192;

/// Pages left to copy at which the thread stops. The writer copies the rest between two transactions, since
/// SQLite restarts `-wal` from its beginning only when all of it is copied.
const REST_PAGES: i64 = 64;
/// Passes of the thread, at most, before it leaves the rest to the writer.
const MAX_PASSES: usize = 4;

/// Pages in `-wal` from which on a commit checkpoints by itself. This is the fallback if the thread cannot
/// keep up.
const FALLBACK_PAGES: i64 = 8 * START_PAGES;

/// Raises a writing connection's own checkpoint limit to [`FALLBACK_PAGES`] pages, which leaves the work to
/// the thread.
pub(super) fn leave_to_thread(conn: &mut AnyConn) -> diesel::QueryResult<()> {
    conn.batch_execute(&format!("PRAGMA wal_autocheckpoint = {FALLBACK_PAGES}"))
}

/// How often the thread checks the size of `-wal` while there are commits.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Flags that the writer and the thread share.
#[derive(Default)]
struct Shared {
    /// There were commits since the thread last checked.
    has_written: AtomicBool,
    /// The thread leaves the last pages to the writer.
    is_nearly_done: AtomicBool,
    /// The thread must end.
    is_over: AtomicBool,
}

/// The checkpoint thread. Dropping this ends and joins it.
pub(super) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// The writer's side: reports commits to the checkpoint thread.
pub(super) struct Commits {
    shared: Arc<Shared>,
    thread: Thread,
}

impl Checkpointer {
    pub(super) fn start(url: &DatabaseUrl) -> Result<Self, OpenError> {
        let mut conn = url.open(Access::Write)?;
        let shared = Arc::<Shared>::default();
        let for_thread = shared.clone();
        let thread = std::thread::Builder::new().name("checkpointer".to_owned());
        let thread = thread.spawn(move || for_thread.run(&mut conn));
        let thread = thread.map_err(|error| OpenError::new(&url.name(), error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Returns the handle with which the writer reports its commits.
    pub(super) fn commits(&self) -> Option<Commits> {
        let thread = self.thread.as_ref()?.thread().clone();
        Some(Commits { shared: self.shared.clone(), thread })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

impl Commits {
    /// Reports a commit. Copies the last pages if the thread left them to the writer.
    pub(super) fn note(&self, conn: &mut AnyConn) {
        if !self.shared.has_written.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
        if self.shared.is_nearly_done.swap(false, Ordering::Acquire) {
            // A failure is harmless: the next round checkpoints again.
            let _ = checkpoint_passive(conn);
        }
    }
}

impl Shared {
    fn run(&self, conn: &mut AnyConn) {
        while !self.is_over.load(Ordering::Acquire) {
            if !self.has_written.swap(false, Ordering::Acquire) {
                std::thread::park();
                continue;
            }
            std::thread::park_timeout(POLL_INTERVAL);
            // The writer reports an unavailable database.
            let _ = self.checkpoint_if_large(conn);
        }
    }

    fn checkpoint_if_large(&self, conn: &mut AnyConn) -> Result<(), StorageError> {
        let (_, pages, mut copied) = sql!("PRAGMA wal_checkpoint(NOOP)").one::<(i64, i64, i64)>(conn)?;
        if pages < START_PAGES {
            return Ok(());
        }
        let mut left = pages - copied;
        for _ in 0..MAX_PASSES {
            if left <= REST_PAGES || self.is_over.load(Ordering::Acquire) {
                break;
            }
            let (pages, now_copied) = checkpoint_passive(conn)?;
            // An older read transaction, or a checkpoint of another process, blocks progress.
            if now_copied <= copied {
                return Ok(());
            }
            (left, copied) = (pages - now_copied, now_copied);
        }
        self.is_nearly_done.store(true, Ordering::Release);
        Ok(())
    }
}

/// Runs a passive checkpoint: copies as many pages as possible without blocking readers or writers. Returns
/// the pages in `-wal` and how many of them are copied. Both are -1 while another connection checkpoints.
fn checkpoint_passive(conn: &mut AnyConn) -> Result<(i64, i64), StorageError> {
    let (_, pages, copied) = sql!("PRAGMA wal_checkpoint(PASSIVE)").one::<(i64, i64, i64)>(conn)?;
    Ok((pages, copied))
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;

    #[test]
    fn the_log_stays_short_however_much_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let url = DatabaseUrl::parse(&format!("sqlite://{}", path.display())).unwrap();
        let mut conn = url.open(Access::Write).unwrap();
        leave_to_thread(&mut conn).unwrap();
        conn.batch_execute("CREATE TABLE t (b BLOB)").unwrap();
        let checkpointer = Checkpointer::start(&url).unwrap();
        let commits = checkpointer.commits().unwrap();
        let log = || std::fs::metadata(folder.path().join("log.db-wal")).unwrap().len() >> 20;
        let mut longest = 0;
        // 160 MiB in parts of 1 MiB. Without the thread, the writer would restart `-wal` after 256 MiB.
        for _ in 0..160 {
            conn.batch_execute("INSERT INTO t VALUES (randomblob(1048576))").unwrap();
            commits.note(&mut conn);
            longest = longest.max(log());
        }
        drop(checkpointer);
        assert!((30..100).contains(&longest), "{longest} MiB");
        conn.batch_execute("PRAGMA integrity_check").unwrap();
    }
}
