//! The writer: threads that each drain a queue into one transaction after another, on a connection of their own.
//!
//! Whatever has queued up while one transaction was being made durable goes into the next: one `fsync` for a whole
//! burst, and no waiting when there is none. Results leave only after the commit. On SQLite there is one thread. On
//! PostgreSQL there are some, and a chat's commands are always with the same one.

mod job;
mod lane;
mod line;
mod watch;

use std::{
    num::NonZero,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel},
    },
    thread::{JoinHandle, available_parallelism, sleep},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::timeout};

use super::{AnyConn, DatabaseUrl, OpenError, Rules, StorageError, StorageMeter};
use crate::model::{Command, Refusal, event::Done};
use job::{Closure, Job, Work};
use lane::{Entry, Lane, State};
use line::Line;

/// Jobs that may wait in a lane; more are turned down.
const QUEUE: usize = 8_192;

/// Threads on PostgreSQL: as many as there are cores, within these bounds. More of them make each batch smaller, and what
/// a transaction costs is mostly for itself and not for what is in it.
const LANES: RangeInclusive<usize> = 2..=4;

/// For so long whoever asked waits where the database is on the other side of a network, and may hang.
const PATIENCE: Duration = Duration::from_secs(2);

/// For so long the end waits for a database that hangs.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// The writer's threads. Dropping it finishes what is queued; what comes later is turned down.
pub struct Writer {
    handle: WriterHandle,
    threads: Vec<JoinHandle<()>>,
    /// Closed when all threads have ended.
    ended: Receiver<()>,
}

/// Puts jobs into the writer's queues.
#[derive(Clone)]
pub struct WriterHandle {
    lanes: Arc<[SyncSender<Entry>]>,
    state: Arc<State>,
    /// The lane that gets the next job that is about no chat.
    turn: Arc<AtomicUsize>,
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
        let (mut lanes, mut threads) = (Vec::new(), Vec::new());
        for number in 0..count {
            let (queue, entries) = sync_channel(QUEUE);
            let mut line = Line::open(url, state.clone(), meter.clone())?;
            if number == 0 {
                line.mind_the_language();
            }
            let lane = Lane::new(line, rules.clone(), entries, state.clone(), meter.clone(), ends.clone());
            let thread = std::thread::Builder::new().name(format!("writer {number}"));
            let thread = thread.spawn(move || lane.work());
            threads.push(thread.map_err(|error| OpenError::new(&url.name(), error))?);
            lanes.push(queue);
        }
        let handle = WriterHandle { lanes: lanes.into(), state, turn: Arc::default(), patience, meter };
        Ok(Self { handle, threads, ended })
    }

    /// A way to the queues.
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
        for lane in self.handle.lanes.iter() {
            while let Err(TrySendError::Full(_)) = lane.try_send(Entry::Stop)
                && deadline.is_none_or(|deadline| Instant::now() < deadline)
            {
                sleep(Duration::from_millis(10));
            }
        }
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
    }
}

impl WriterHandle {
    /// Queues a command, behind all that the same chat has been given before. `settle` is called once, on a thread of the
    /// writer's, when its result is durable.
    pub fn submit(&self, command: Command, settle: impl FnOnce(Result<Done, Refusal>) + Send + 'static) {
        let (lane, kind) = (command.chat.0 as usize, command.action.kind());
        self.queue(lane, kind, Work::Command { command, settle: Box::new(settle) });
    }

    /// Does any other write in a transaction and returns what it came to. `kind` is what it is counted as. `work` may be
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
        let lane = self.turn.fetch_add(1, Ordering::Relaxed);
        self.queue(lane, kind, Work::Task(Box::new(Closure { work, value: None, settle })));
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

    fn queue(&self, lane: usize, kind: &'static str, work: Work) {
        let expires = self.patience.map(|patience| Instant::now() + patience);
        // Before it is there, or it might be taken out first.
        self.meter.iter().for_each(|meter| meter.queued.inc());
        let refused =
            match self.lanes[lane % self.lanes.len()].try_send(Entry::Job(Job { kind, work, expires })) {
                Ok(()) => return,
                Err(TrySendError::Full(entry) | TrySendError::Disconnected(entry)) => entry,
            };
        self.meter.iter().for_each(|meter| meter.queued.dec());
        if let Entry::Job(job) = refused {
            job.settle(Err(Refusal::Busy.into()));
        }
    }
}
