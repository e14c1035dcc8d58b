//! Copies what SQLite has in its `-wal` into the file, on a thread of its own. Where the writer does that itself, as SQLite
//! has it by default, every write waits for the tens of milliseconds that it takes.

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

/// With so many pages in `-wal` it is time. A page that many commits touch is copied once each time, so seldom is cheap; more
/// than this would make the start after a crash slow.
const MANY: i64 = 8_192;

/// With so few that are not copied yet, or after so many tries to come there, the writer copies the rest between two
/// transactions: only where all is copied does `-wal` begin anew.
const FEW: i64 = 64;
const TRIES: usize = 4;

/// The writer does all of it from so many pages on, as SQLite does by itself: the thread does not come after.
const TOO_MANY: i64 = 8 * MANY;

/// Has a writing connection leave it to the thread, unless that comes too late.
pub(super) fn leave_to_thread(conn: &mut AnyConn) -> diesel::QueryResult<()> {
    conn.batch_execute(&format!("PRAGMA wal_autocheckpoint = {TOO_MANY}"))
}

/// How often it looks while there are commits.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the writer and the thread tell each other.
#[derive(Default)]
struct Shared {
    has_written: AtomicBool,
    is_nearly_done: AtomicBool,
    is_over: AtomicBool,
}

/// The thread; it ends when this is dropped.
pub(super) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer tells the thread by.
pub(super) struct Commits {
    shared: Arc<Shared>,
    thread: Thread,
}

impl Checkpointer {
    pub fn start(url: &DatabaseUrl) -> Result<Self, OpenError> {
        let mut conn = url.open(Access::Write)?;
        let shared = Arc::<Shared>::default();
        let for_thread = shared.clone();
        let thread = std::thread::Builder::new().name("checkpointer".to_owned());
        let thread = thread.spawn(move || for_thread.work(&mut conn));
        let thread = thread.map_err(|error| OpenError::new(&url.name(), error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// For the writer.
    pub fn commits(&self) -> Option<Commits> {
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
    /// Notes a commit, and copies the last few pages where that is all that is left to do.
    pub fn note(&self, conn: &mut AnyConn) {
        if !self.shared.has_written.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
        if self.shared.is_nearly_done.swap(false, Ordering::Acquire) {
            // Where it fails there is another time.
            let _ = copy(conn);
        }
    }
}

impl Shared {
    fn work(&self, conn: &mut AnyConn) {
        while !self.is_over.load(Ordering::Acquire) {
            if !self.has_written.swap(false, Ordering::Acquire) {
                std::thread::park();
                continue;
            }
            std::thread::park_timeout(LOOK_EVERY);
            // A database that is away is noted by the writer.
            let _ = self.look(conn);
        }
    }

    fn look(&self, conn: &mut AnyConn) -> Result<(), StorageError> {
        let (_, pages, mut copied) = sql!("PRAGMA wal_checkpoint(NOOP)").one::<(i64, i64, i64)>(conn)?;
        if pages < MANY {
            return Ok(());
        }
        let mut left = pages - copied;
        for _ in 0..TRIES {
            if left <= FEW || self.is_over.load(Ordering::Acquire) {
                break;
            }
            let (pages, now_copied) = copy(conn)?;
            // Somebody still reads what is older, or another process copies.
            if now_copied <= copied {
                return Ok(());
            }
            (left, copied) = (pages - now_copied, now_copied);
        }
        self.is_nearly_done.store(true, Ordering::Release);
        Ok(())
    }
}

/// Copies as much as can be without keeping anybody waiting. Returns how many pages there are, and how many are copied; -1
/// for both where another connection is at it.
fn copy(conn: &mut AnyConn) -> Result<(i64, i64), StorageError> {
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
        // 160 MiB in parts of 1 MiB: the writer by itself would begin anew after 256.
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
