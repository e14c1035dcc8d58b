//! The writing connection: one thread that drains its queue into one transaction after another.
//!
//! Whatever has queued up while one transaction was being made durable goes into the next: one `fsync` for a whole
//! burst, and no waiting when there is none. Results leave only after the commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use tokio::sync::oneshot;

use super::{
    Access, AnyConn, DatabaseUrl, OpenError, Rules, StorageError,
    apply::apply,
    conn::{begin, commit, is_lost, roll_back, transaction},
};
use crate::model::{Command, Refusal, event::Done};

/// Jobs that may wait; more are turned down.
const QUEUE: usize = 8_192;

/// Most jobs in one transaction, so that the first of a burst does not wait for the last.
const BATCH: usize = 256;

/// Something to be written. It may be attempted twice: once with others, and once alone if one of those failed.
trait Job: Send {
    /// Writes, inside a transaction.
    fn attempt(&mut self, conn: &mut AnyConn, rules: &Rules) -> Result<(), StorageError>;
    /// Tells the result, after the commit.
    fn settle(self: Box<Self>, result: Result<(), StorageError>);
}

/// What the queue holds; nothing is done behind `Stop`.
enum Entry {
    Job(Box<dyn Job>),
    Stop,
}

/// The writer's thread. Dropping it finishes what is queued; what comes later is turned down.
pub struct Writer {
    handle: WriterHandle,
    thread: Option<JoinHandle<()>>,
}

/// Puts jobs into the writer's queue.
#[derive(Clone)]
pub struct WriterHandle {
    queue: SyncSender<Entry>,
    is_away: Arc<AtomicBool>,
}

impl Writer {
    /// Opens the writing connection and starts its thread.
    pub fn start(url: &DatabaseUrl, rules: Rules) -> Result<Self, OpenError> {
        let mut line = Line { conn: url.open(Access::Write)?, url: url.clone() };
        let (queue, jobs) = sync_channel(QUEUE);
        let handle = WriterHandle { queue, is_away: Arc::default() };
        let is_away = handle.is_away.clone();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || work(&mut line, &rules, &jobs, &is_away))
            .map_err(|error| OpenError::new(&url.name(), error))?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// A way to the queue.
    pub fn handle(&self) -> WriterHandle {
        self.handle.clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.handle.queue.send(Entry::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl WriterHandle {
    /// Queues a command. `settle` is called once, on the writer's thread, when its result is durable.
    pub fn submit(&self, command: Command, settle: impl FnOnce(Result<Done, Refusal>) + Send + 'static) {
        self.run_then(move |conn, rules| apply(conn, rules, &command), settle);
    }

    /// Does any other write in a transaction and returns what it came to. `work` may be called twice; what it refuses,
    /// it refuses before it writes.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut AnyConn, &Rules) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, result) = oneshot::channel();
        self.run_then(work, move |result| {
            // Nobody waits any more where the client has gone.
            let _ = reply.send(result);
        });
        result.await.unwrap_or(Err(Refusal::Internal))
    }

    /// The same for what must follow even where the client has gone: `settle` is called as for a command.
    pub fn run_then<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut AnyConn, &Rules) -> Result<T, StorageError> + Send + 'static,
        settle: impl FnOnce(Result<T, Refusal>) + Send + 'static,
    ) {
        self.queue(Box::new(Task { work, value: None, settle }));
    }

    /// Whether the last transaction failed because the database cannot be written.
    pub fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    fn queue(&self, job: Box<dyn Job>) {
        let refused = match self.queue.try_send(Entry::Job(job)) {
            Ok(()) => return,
            Err(TrySendError::Full(entry) | TrySendError::Disconnected(entry)) => entry,
        };
        if let Entry::Job(job) = refused {
            job.settle(Err(Refusal::Busy.into()));
        }
    }
}

struct Task<T, F, S> {
    work: F,
    value: Option<T>,
    settle: S,
}

impl<T: Send, F, S> Job for Task<T, F, S>
where
    F: FnMut(&mut AnyConn, &Rules) -> Result<T, StorageError> + Send,
    S: FnOnce(Result<T, Refusal>) + Send,
{
    fn attempt(&mut self, conn: &mut AnyConn, rules: &Rules) -> Result<(), StorageError> {
        self.value = Some((self.work)(conn, rules)?);
        Ok(())
    }

    fn settle(self: Box<Self>, result: Result<(), StorageError>) {
        let Self { value, settle, .. } = *self;
        let result = result.map_err(StorageError::into_refusal);
        settle(result.and_then(|()| value.ok_or(Refusal::Internal)));
    }
}

fn work(line: &mut Line, rules: &Rules, entries: &Receiver<Entry>, is_away: &AtomicBool) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut is_stopping = false;
    while !is_stopping && let Ok(first) = entries.recv() {
        for entry in std::iter::once(first).chain(entries.try_iter()) {
            match entry {
                Entry::Job(job) => batch.push(job),
                Entry::Stop => is_stopping = true,
            }
            if is_stopping || batch.len() == BATCH {
                break;
            }
        }
        let results = line.carry_out(rules, &mut batch);
        is_away.store(
            results.iter().any(|result| matches!(result, Err(StorageError::Away(_)))),
            Ordering::Relaxed,
        );
        for (job, result) in batch.drain(..).zip(results) {
            job.settle(result);
        }
    }
}

type Results = Vec<Result<(), StorageError>>;

/// The writing connection, and where to find another one once it is lost.
struct Line {
    url: DatabaseUrl,
    conn: AnyConn,
}

impl Line {
    /// Carries out all jobs, on another connection if this one turns out to be lost.
    fn carry_out(&mut self, rules: &Rules, batch: &mut [Box<dyn Job>]) -> Results {
        let mut tried = together(&mut self.conn, rules, batch);
        if tried.is_err() && is_lost(&mut self.conn) {
            match self.url.open(Access::Write) {
                Ok(conn) => self.conn = conn,
                Err(error) => return all_away(batch.len(), &error.into()),
            }
            tracing::warn!("the connection to the database was lost; there is another one");
            tried = together(&mut self.conn, rules, batch);
        }
        match tried {
            Ok(results) => results,
            // Trying each alone would only take longer to fail.
            Err(Undone::NotBegun(error)) => all_away(batch.len(), &error),
            Err(Undone::JobFailed) => alone(&mut self.conn, rules, batch),
        }
    }
}

/// Why a transaction stored nothing.
enum Undone {
    NotBegun(StorageError),
    JobFailed,
}

/// All jobs in one transaction. Where that comes to nothing for certain, they can be tried again.
fn together(conn: &mut AnyConn, rules: &Rules, batch: &mut [Box<dyn Job>]) -> Result<Results, Undone> {
    begin(conn).map_err(Undone::NotBegun)?;
    let mut results = Vec::with_capacity(batch.len());
    for job in batch.iter_mut() {
        let result = attempt(conn, rules, job.as_mut());
        if !matches!(result, Ok(()) | Err(StorageError::Refused(_))) {
            roll_back(conn);
            return Err(Undone::JobFailed);
        }
        results.push(result);
    }
    // Whether a commit that failed was one after all is not known where the connection is lost: it is not tried again.
    Ok(commit(conn).map_or_else(|error| all_away(batch.len(), &error), |()| results))
}

/// Each job in a transaction of its own, so that a failure costs only the job that fails.
fn alone(conn: &mut AnyConn, rules: &Rules, batch: &mut [Box<dyn Job>]) -> Results {
    batch.iter_mut().map(|job| transaction(conn, |conn| attempt(conn, rules, job.as_mut()))).collect()
}

fn attempt(conn: &mut AnyConn, rules: &Rules, job: &mut dyn Job) -> Result<(), StorageError> {
    catch_unwind(AssertUnwindSafe(|| job.attempt(conn, rules))).unwrap_or_else(|_| {
        // It may have written half of what it meant to, so this is no refusal: the transaction must go.
        Err(StorageError::Failed(diesel::result::Error::RollbackTransaction))
    })
}

fn all_away(count: usize, error: &StorageError) -> Results {
    (0..count).map(|_| Err(StorageError::Away(error.to_string()))).collect()
}
