//! One thread of the writer: it takes what is next and tells what came of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering, mpsc::Sender},
    time::Instant,
};

use super::{
    job::{Job, Outcome},
    queue::{Group, Queue},
    shared::State,
    transactions::{Line, Results, TOO_LATE},
};
use crate::storage::{Rules, StorageError, StorageMeter, tables::locks::Contested};

pub(super) struct Lane {
    line: Line,
    rules: Rules,
    queue: Arc<Queue>,
    state: Arc<State>,
    meter: Option<Arc<StorageMeter>>,
    /// Dropped when the thread ends.
    _ends: Sender<()>,
}

impl Lane {
    pub fn new(
        line: Line,
        rules: Rules,
        queue: Arc<Queue>,
        state: Arc<State>,
        meter: Option<Arc<StorageMeter>>,
        ends: Sender<()>,
    ) -> Self {
        Self { line, rules, queue, state, meter, _ends: ends }
    }

    /// Works until the queue is closed and empty.
    pub fn work(mut self) {
        while let Some(mut group) = self.queue.take() {
            if let Some(meter) = &self.meter {
                meter.queued.sub(group.jobs.len() as i64);
            }
            let now = Instant::now();
            let jobs = std::mem::take(&mut group.jobs);
            let (late, jobs): (Vec<Job>, _) = jobs.into_iter().partition(|job| job.has_expired(now));
            let contested = if jobs.is_empty() { Vec::new() } else { self.carry_out(&group, jobs) };
            late.into_iter().for_each(|job| self.tell(job, Err(StorageError::Away(TOO_LATE.to_owned()))));
            if let Some(meter) = &self.meter {
                meter.queued.add(contested.len() as i64);
            }
            // Once all is told, so that nobody tells of what comes later in the same chats before.
            self.queue.done(group, contested);
        }
    }

    /// Does jobs and tells the results. Returns those whose chats are locked by others.
    fn carry_out(&mut self, group: &Group, mut jobs: Vec<Job>) -> Vec<Job> {
        let results: Results = if self.state.has_given_up() {
            jobs.iter().map(|_| Err(StorageError::Away(TOO_LATE.to_owned()))).collect()
        } else {
            self.line.carry_out(&self.rules, &mut jobs, group.contested)
        };
        let is_away = results.iter().any(|result| matches!(result, Err(StorageError::Away(_))));
        self.state.is_away.store(is_away, Ordering::Relaxed);
        let mut contested = Vec::new();
        for (job, result) in jobs.into_iter().zip(results) {
            match (&result, job.chat()) {
                (Err(StorageError::Locked(_)), Some(chat)) if group.contested == Contested::WaitedFor => {
                    self.queue.note_stuck(chat);
                }
                (Err(StorageError::Locked(_)), Some(chat)) if !self.queue.is_stuck(chat) => {
                    contested.push(job);
                    continue;
                }
                _ => {}
            }
            self.tell(job, result);
        }
        contested
    }

    fn tell(&self, job: Job, result: Result<Outcome, StorageError>) {
        if let Some(meter) = &self.meter {
            meter.settled(&result);
        }
        // Whatever becomes of one answer, the thread goes on with the others.
        if catch_unwind(AssertUnwindSafe(|| job.settle(result))).is_err() {
            tracing::error!("making known what was written panicked");
        }
    }
}
