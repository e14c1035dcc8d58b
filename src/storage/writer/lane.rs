//! One thread of the writer: its queue, and what of it goes into one transaction.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender},
    },
    time::Instant,
};

use super::{
    job::Job,
    line::{Line, Results, TOO_LATE},
    watch::SlowLog,
};
use crate::storage::{Rules, StorageError, StorageMeter};

/// Most jobs in one transaction, so that the first of a burst does not wait for the last.
const BATCH: usize = 256;

/// What a queue holds; nothing is done behind `Stop`.
pub(super) enum Entry {
    Job(Job),
    Stop,
}

/// What the lanes of a writer and those who ask them share.
#[derive(Default)]
pub(super) struct State {
    /// The last transaction failed because the database cannot be written.
    pub is_away: AtomicBool,
    /// The server is on its way down: nobody waits for a database that is away.
    pub is_stopping: AtomicBool,
    pub slow: SlowLog,
}

impl State {
    /// Whether nothing is tried any more: each try may wait for seconds where the database is locked.
    fn has_given_up(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed) && self.is_away.load(Ordering::Relaxed)
    }
}

pub(super) struct Lane {
    line: Line,
    rules: Rules,
    entries: Receiver<Entry>,
    state: Arc<State>,
    meter: Option<Arc<StorageMeter>>,
    /// Taken from the queue and not begun.
    waiting: VecDeque<Job>,
    is_ending: bool,
    /// Dropped when the thread ends.
    _ends: Sender<()>,
}

impl Lane {
    pub fn new(
        line: Line,
        rules: Rules,
        entries: Receiver<Entry>,
        state: Arc<State>,
        meter: Option<Arc<StorageMeter>>,
        ends: Sender<()>,
    ) -> Self {
        Self { line, rules, entries, state, meter, waiting: VecDeque::new(), is_ending: false, _ends: ends }
    }

    /// Works until it is told to stop.
    pub fn work(mut self) {
        while self.take_in() {
            let now = Instant::now();
            let group = self.next_group();
            if let Some(meter) = &self.meter {
                meter.queued.sub(group.len() as i64);
            }
            let (late, mut group): (Vec<Job>, _) = group.into_iter().partition(|job| job.has_expired(now));
            if !group.is_empty() {
                let results = if self.state.has_given_up() {
                    group.iter().map(|_| Err(StorageError::Away(TOO_LATE.to_owned()))).collect()
                } else {
                    self.line.carry_out(&self.rules, &mut group)
                };
                self.settle(group, results);
            }
            let too_late = late.iter().map(|_| Err(StorageError::Away(TOO_LATE.to_owned()))).collect();
            self.tell(late, too_late);
        }
    }

    /// Takes whatever has queued up, waiting for the first. Whether there is anything to do.
    fn take_in(&mut self) -> bool {
        if self.waiting.is_empty() {
            // It may have been told so behind the last jobs of a batch; nothing comes after that.
            if self.is_ending {
                return false;
            }
            match self.entries.recv() {
                Ok(Entry::Job(job)) => self.waiting.push_back(job),
                _ => return false,
            }
        }
        while self.waiting.len() < BATCH && !self.is_ending {
            match self.entries.try_recv() {
                Ok(Entry::Job(job)) => self.waiting.push_back(job),
                Ok(Entry::Stop) => self.is_ending = true,
                Err(_) => break,
            }
        }
        true
    }

    /// The next jobs that share a transaction. On SQLite, where each transaction is a wait for the disk and nobody else
    /// writes, all that wait do; on PostgreSQL, commands that lock nothing but their chats.
    fn next_group(&mut self) -> Vec<Job> {
        let count = if self.line.is_alone() {
            self.waiting.len()
        } else {
            self.waiting.iter().take_while(|job| job.sharing().is_some()).count().max(1)
        };
        self.waiting.drain(..count).collect()
    }

    fn settle(&self, group: Vec<Job>, results: Results) {
        let is_away = results.iter().any(|result| matches!(result, Err(StorageError::Away(_))));
        self.state.is_away.store(is_away, Ordering::Relaxed);
        self.tell(group, results);
    }

    fn tell(&self, jobs: Vec<Job>, results: Results) {
        for (job, result) in jobs.into_iter().zip(results) {
            if let Some(meter) = &self.meter {
                meter.settled(&result);
            }
            // Whatever becomes of one answer, the thread goes on with the others.
            if catch_unwind(AssertUnwindSafe(|| job.settle(result))).is_err() {
                tracing::error!("making known what was written panicked");
            }
        }
    }
}
