//! A worker thread of the writer: takes groups of jobs from the queue, runs them, and delivers their results.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering, mpsc::Sender},
    time::Instant,
};

use super::{
    job::{Job, JobOutcome},
    queue::{Group, JobQueue},
    shared::WriterState,
    transactions::{Results, TOO_LATE, WriteConnection},
};
use crate::storage::{StorageError, StorageMeter, StoragePolicy, tables::locks::LockedRows};

pub(super) struct Worker {
    connection: WriteConnection,
    policy: StoragePolicy,
    queue: Arc<JobQueue>,
    state: Arc<WriterState>,
    meter: Option<Arc<StorageMeter>>,
    /// Dropped when the thread ends, which the writer's shutdown waits for.
    _ends: Sender<()>,
}

impl Worker {
    pub(super) fn new(
        connection: WriteConnection,
        policy: StoragePolicy,
        queue: Arc<JobQueue>,
        state: Arc<WriterState>,
        meter: Option<Arc<StorageMeter>>,
        ends: Sender<()>,
    ) -> Self {
        Self { connection, policy, queue, state, meter, _ends: ends }
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn work(mut self) {
        while let Some(mut group) = self.queue.take() {
            if let Some(meter) = &self.meter {
                meter.queued.sub(group.jobs.len() as i64);
            }
            let now = Instant::now();
            let jobs = std::mem::take(&mut group.jobs);
            let (late, jobs): (Vec<Job>, _) = jobs.into_iter().partition(|job| job.has_expired(now));
            let contested = if jobs.is_empty() { Vec::new() } else { self.run_jobs(&group, jobs) };
            late.into_iter()
                .for_each(|job| self.complete(job, Err(StorageError::Unavailable(TOO_LATE.to_owned()))));
            if let Some(meter) = &self.meter {
                meter.queued.add(contested.len() as i64);
            }
            // Only after all results are delivered, so that results in a chat keep the order of its commits.
            self.queue.done(group, contested);
        }
    }

    /// Runs jobs and delivers their results. Returns the jobs to retry: other processes have locked their
    /// chats.
    fn run_jobs(&mut self, group: &Group, mut jobs: Vec<Job>) -> Vec<Job> {
        let results: Results = if self.state.has_given_up() {
            jobs.iter().map(|_| Err(StorageError::Unavailable(TOO_LATE.to_owned()))).collect()
        } else {
            self.connection.run_jobs(&self.policy, &mut jobs, group.locked_rows)
        };
        let is_away = results.iter().any(|result| matches!(result, Err(StorageError::Unavailable(_))));
        self.state.is_away.store(is_away, Ordering::Relaxed);
        let mut contested = Vec::new();
        for (job, result) in jobs.into_iter().zip(results) {
            match (&result, job.chat()) {
                (Err(StorageError::Locked(_)), Some(chat)) if group.locked_rows == LockedRows::Wait => {
                    self.queue.note_stuck(chat);
                }
                (Err(StorageError::Locked(_)), Some(chat)) if !self.queue.is_stuck(chat) => {
                    contested.push(job);
                    continue;
                }
                _ => {}
            }
            self.complete(job, result);
        }
        contested
    }

    fn complete(&self, job: Job, result: Result<JobOutcome, StorageError>) {
        if let Some(meter) = &self.meter {
            meter.settled(&result);
        }
        // A panic in one callback must not end the thread.
        job.log_context.enter(|| {
            if catch_unwind(AssertUnwindSafe(|| job.complete(result))).is_err() {
                tracing::error!("delivering the result of a write panicked");
            }
        });
    }
}
