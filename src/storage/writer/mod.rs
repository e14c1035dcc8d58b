//! The writer: threads that each drain a queue into one transaction after another, on a connection of their own.
//!
//! Whatever has queued up while one transaction was being made durable goes into the next: one `fsync` for a whole
//! burst, and no waiting when there is none. Results leave only after the commit. On SQLite there is one thread. On
//! PostgreSQL there are some, and a chat's commands are with one of them at a time.

mod checkpointer;
pub mod in_doubt;
mod job;
mod queue;
pub mod shared;
pub mod slow_log;
mod transactions;
mod watch;
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

use super::{AnyConn, Asker, DatabaseUrl, OpenError, Rules, StorageError, StorageMeter};
use crate::core::model::{Command, Refusal, event::Done};
use checkpointer::Checkpointer;
use job::{Closure, Job, Work};
use queue::Queue;
use shared::State;
use transactions::Line;
use worker::Lane;

pub use queue::MOST_OF_ONE;

/// Threads on PostgreSQL: as many as there are cores, within these bounds. More of them make each batch smaller, and what
/// a transaction costs is mostly for itself and not for what is in it. One is always left for what waits for nobody.
const LANES: RangeInclusive<usize> = 3..=4;

/// For so long whoever asked waits where the database is on the other side of a network, and may hang.
const PATIENCE: Duration = Duration::from_secs(2);

/// For so long the end waits for a database that hangs.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// The writer's threads. Dropping it finishes what is queued; what comes later is turned down.
pub struct Writer {
    handle: WriterHandle,
    threads: Vec<JoinHandle<()>>,
    /// On SQLite.
    checkpointer: Option<Checkpointer>,
    /// Closed when all threads have ended.
    ended: Receiver<()>,
}

/// Puts jobs into the writer's queue.
#[derive(Clone)]
pub struct WriterHandle {
    queue: Arc<Queue>,
    state: Arc<State>,
    patience: Option<Duration>,
    meter: Option<Arc<StorageMeter>>,
}

impl Writer {
    /// Opens the writing connections and starts their threads.
    pub fn start(
        url: &DatabaseUrl,
        rules: Rules,
        meter: Option<Arc<StorageMeter>>,
    ) -> Result<Self, OpenError> {
        let (count, patience) = match url {
            DatabaseUrl::Sqlite(_) => (1, None),
            DatabaseUrl::Postgres(_) => (lanes(), Some(PATIENCE)),
        };
        let state = Arc::<State>::default();
        let (ends, ended) = channel();
        let (queue, mut threads) = (Arc::new(Queue::new(count)), Vec::new());
        let checkpointer = match url {
            DatabaseUrl::Sqlite(_) => Some(Checkpointer::start(url)?),
            DatabaseUrl::Postgres(_) => None,
        };
        for number in 0..count {
            let mut line = Line::open(url, state.clone(), meter.clone(), checkpointer.as_ref())?;
            if number == 0 {
                line.mind_the_language();
            }
            let lane =
                Lane::new(line, rules.clone(), queue.clone(), state.clone(), meter.clone(), ends.clone());
            let thread = std::thread::Builder::new().name(format!("writer {number}"));
            let thread = thread.spawn(move || lane.work());
            threads.push(thread.map_err(|error| OpenError::new(&url.name(), error))?);
        }
        let handle = WriterHandle { queue, state, patience, meter };
        Ok(Self { handle, threads, checkpointer, ended })
    }

    /// A way to the queue.
    pub fn handle(&self) -> WriterHandle {
        self.handle.clone()
    }
}

fn lanes() -> usize {
    let cores = available_parallelism().map_or(1, NonZero::get);
    cores.clamp(*LANES.start(), *LANES.end())
}

impl Drop for Writer {
    fn drop(&mut self) {
        let state = &self.handle.state;
        state.is_stopping.store(true, Ordering::Relaxed);
        let deadline = self.handle.patience.map(|_| Instant::now() + ENDS_WITHIN);
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
    /// Queues a command, behind all that its user has asked of the same chat before. `settle` is called once, on a thread of the
    /// writer's, when its result is durable.
    pub fn submit(&self, command: Command, settle: impl FnOnce(Result<Done, Refusal>) + Send + 'static) {
        let (asker, kind) = (Asker::User(command.by), command.action.kind());
        self.queue(asker, kind, Work::Command { command, settle: Box::new(settle) });
    }

    /// Does any other write in a transaction, for whoever asks in this task, and returns what it came to. `kind` is what it
    /// is counted as. `work` may be
    /// called more than once; what it refuses, it refuses before it writes.
    pub async fn run<T: Send + 'static>(
        &self,
        kind: &'static str,
        work: impl FnMut(&mut AnyConn, &Rules) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, result) = oneshot::channel();
        self.run_then(kind, work, move |result| {
            // Nobody waits any more where the client has gone.
            let _ = reply.send(result);
        });
        self.in_time(result).await?.unwrap_or(Err(Refusal::Internal))
    }

    /// The same for what must follow even where the client has gone: `settle` is called as for a command.
    pub fn run_then<T: Send + 'static>(
        &self,
        kind: &'static str,
        work: impl FnMut(&mut AnyConn, &Rules) -> Result<T, StorageError> + Send + 'static,
        settle: impl FnOnce(Result<T, Refusal>) + Send + 'static,
    ) {
        self.queue(Asker::current(), kind, Work::Task(Box::new(Closure { work, value: None, settle })));
    }

    /// Waits for an answer that depends on the writer, but not for longer than a client should where the database hangs.
    /// What has not been done by then is not done any more, unless its commit was on its way.
    pub async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, Refusal> {
        match self.patience {
            None => Ok(answer.await),
            Some(patience) => timeout(patience, answer).await.map_err(|_| Refusal::StorageAway),
        }
    }

    /// Whether the last transaction failed because the database cannot be written.
    pub fn is_away(&self) -> bool {
        self.state.is_away.load(Ordering::Relaxed)
    }

    fn queue(&self, asker: Asker, kind: &'static str, work: Work) {
        let expires = self.patience.map(|patience| Instant::now() + patience);
        // Before it is there, or it might be taken out first.
        self.meter.iter().for_each(|meter| meter.queued.inc());
        if let Some((job, refusal)) = self.queue.push(Job { kind, asker, work, expires }) {
            self.meter.iter().for_each(|meter| meter.queued.dec());
            job.settle(Err(refusal.into()));
        }
    }
}
