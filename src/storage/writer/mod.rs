//! The writer: worker threads that drain one queue into transactions, each on a connection of its own.
//!
//! Group commit: jobs that queue up during one commit form the batch of the next. A burst costs one `fsync`,
//! and a single job does not wait for a batch. Results are delivered only after the commit. SQLite has one
//! worker. PostgreSQL has several, and only one of them at a time works on the commands of a chat.

mod checkpointer;
pub mod in_doubt;
mod job;
mod job_meter;
mod queue;
pub mod shared;
pub mod slow_log;
mod transactions;
mod worker;

use std::{
    num::NonZero,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::{JoinHandle, available_parallelism},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::timeout};

use super::{AnyConn, DatabaseUrl, OpenError, Principal, StorageError, StorageMeter, StoragePolicy};
use crate::core::{
    log_context::LogContext,
    model::{Command, Refusal, Seq, event::Done},
};
use checkpointer::Checkpointer;
use job::{Closure, Job, Work};
use queue::JobQueue;
use shared::WriterState;
use transactions::WriteConnection;
use worker::Worker;

pub use queue::MAX_OF_ONE;

/// Workers on PostgreSQL: the number of cores, within these bounds. More workers would make batches smaller,
/// and most of a transaction's cost does not depend on its size. One worker is always left for jobs that do
/// not wait for locks.
const WORKERS: RangeInclusive<usize> = 3..=4;

/// Timeout of a caller on PostgreSQL, which is reached over a network and may hang.
const CALLER_TIMEOUT: Duration = Duration::from_secs(2);

/// Shutdown timeout: how long dropping the writer waits for a database that hangs.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The writer's threads. Dropping it rejects new jobs and finishes the queued ones.
pub struct Writer {
    handle: WriterHandle,
    threads: Vec<JoinHandle<()>>,
    /// SQLite only.
    checkpointer: Option<Checkpointer>,
    /// Disconnected once all threads have ended.
    ended: Receiver<()>,
}

/// Puts jobs into the writer's queue.
#[derive(Clone)]
pub struct WriterHandle {
    queue: Arc<JobQueue>,
    state: Arc<WriterState>,
    caller_timeout: Option<Duration>,
    meter: Option<Arc<StorageMeter>>,
}

impl Writer {
    /// Opens the writing connections and starts their threads.
    pub fn start(
        url: &DatabaseUrl,
        policy: StoragePolicy,
        meter: Option<Arc<StorageMeter>>,
    ) -> Result<Self, OpenError> {
        let (count, caller_timeout) = match url {
            DatabaseUrl::Sqlite(_) => (1, None),
            DatabaseUrl::Postgres(_) => (worker_count(), Some(CALLER_TIMEOUT)),
        };
        let state = Arc::<WriterState>::default();
        let (ends, ended) = channel();
        let (queue, mut threads) = (Arc::new(JobQueue::new(count)), Vec::new());
        let checkpointer = match url {
            DatabaseUrl::Sqlite(_) => Some(Checkpointer::start(url)?),
            DatabaseUrl::Postgres(_) => None,
        };
        for number in 0..count {
            let mut conn = WriteConnection::open(url, state.clone(), meter.clone(), checkpointer.as_ref())?;
            if number == 0 {
                conn.warn_if_errors_localized();
            }
            let worker =
                Worker::new(conn, policy.clone(), queue.clone(), state.clone(), meter.clone(), ends.clone());
            let thread = std::thread::Builder::new().name(format!("writer {number}"));
            let thread = thread.spawn(move || worker.work());
            threads.push(thread.map_err(|error| OpenError::new(&url.name(), error))?);
        }
        let handle = WriterHandle { queue, state, caller_timeout, meter };
        Ok(Self { handle, threads, checkpointer, ended })
    }

    /// Returns a handle that puts jobs into the queue.
    pub fn handle(&self) -> WriterHandle {
        self.handle.clone()
    }
}

fn worker_count() -> usize {
    let cores = available_parallelism().map_or(1, NonZero::get);
    cores.clamp(*WORKERS.start(), *WORKERS.end())
}

impl Drop for Writer {
    fn drop(&mut self) {
        let state = &self.handle.state;
        state.is_stopping.store(true, Ordering::Relaxed);
        let deadline = self.handle.caller_timeout.map(|_| Instant::now() + SHUTDOWN_TIMEOUT);
        self.handle.queue.close();
        let has_ended = match deadline {
            None => self.ended.recv().is_err(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected)
            }
        };
        if has_ended {
            self.threads.drain(..).for_each(|thread| drop(thread.join()));
        }
        drop(self.checkpointer.take());
    }
}

impl WriterHandle {
    /// Queues a command, after all earlier commands of its user in the same chat. `decided_at`: the chat's
    /// `members_seq` at which its actor has permitted the command. `complete` is called once, on a worker
    /// thread, when the result is durable.
    pub fn submit(
        &self,
        command: Command,
        decided_at: Option<Seq>,
        log_context: LogContext,
        complete: impl FnOnce(Result<Done, Refusal>) + Send + 'static,
    ) {
        let (principal, kind) = (Principal::User(command.by), command.action.kind());
        self.queue(
            principal,
            kind,
            log_context,
            Work::Command { command, decided_at, complete: Box::new(complete) },
        );
    }

    /// Runs any other write in a transaction, as the principal of this task, and returns its result. `kind`
    /// labels it in the metrics. `work` may be called more than once. It may refuse only before its first
    /// write.
    pub async fn run<T: Send + 'static>(
        &self,
        kind: &'static str,
        work: impl FnMut(&mut AnyConn, &StoragePolicy) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, result) = oneshot::channel();
        self.run_then(kind, work, move |result| {
            // The receiver is gone if the caller was cancelled or timed out.
            let _ = reply.send(result);
        });
        self.in_time(result).await?.unwrap_or(Err(Refusal::Internal))
    }

    /// Runs a write in a transaction and calls `complete` with its result, even if the client has
    /// disconnected. `complete` is called once, on a worker thread, when the result is durable.
    pub fn run_then<T: Send + 'static>(
        &self,
        kind: &'static str,
        work: impl FnMut(&mut AnyConn, &StoragePolicy) -> Result<T, StorageError> + Send + 'static,
        complete: impl FnOnce(Result<T, Refusal>) + Send + 'static,
    ) {
        let task = Box::new(Closure { work, value: None, complete });
        self.queue(Principal::current(), kind, LogContext::current(), Work::Task(task));
    }

    /// Awaits a result of the writer, with a timeout of `CALLER_TIMEOUT` on PostgreSQL. A job that has
    /// timed out is dropped, unless its COMMIT was already sent.
    pub async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, Refusal> {
        match self.caller_timeout {
            None => Ok(answer.await),
            Some(caller_timeout) => timeout(caller_timeout, answer).await.map_err(|_| Refusal::StorageAway),
        }
    }

    /// Returns whether the last transaction failed because the database is unavailable for writes.
    pub fn is_away(&self) -> bool {
        self.state.is_away.load(Ordering::Relaxed)
    }

    fn queue(&self, principal: Principal, kind: &'static str, log_context: LogContext, work: Work) {
        let expires = self.caller_timeout.map(|caller_timeout| Instant::now() + caller_timeout);
        // Counted before the push: a worker might take the job, and count it out, first.
        if let Some(meter) = &self.meter {
            meter.queued.inc();
        }
        if let Some((job, refusal)) = self.queue.push(Job { kind, principal, work, log_context, expires }) {
            if let Some(meter) = &self.meter {
                meter.queued.dec();
            }
            job.complete(Err(refusal.into()));
        }
    }
}
