//! Duration of each job by kind: recorded in the metrics, and logged when it is slow.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::Histogram;

use super::{job::Job, shared::WriterState};
use crate::{
    core::model::ChatId,
    storage::{StorageMeter, commands::Times},
};

/// A job that takes longer is logged. It blocks all other writes on SQLite, and one worker on PostgreSQL.
const SLOW: Duration = Duration::from_millis(50);

/// Kind under which finding and locking the chats of batched commands is recorded.
const LOCKING: &str = "lock_chats";

/// The metrics of one worker. The histogram of each kind is cached.
pub(super) struct JobMeter {
    state: Arc<WriterState>,
    meter: Option<Arc<StorageMeter>>,
    kinds: HashMap<&'static str, Histogram>,
}

impl JobMeter {
    pub(super) fn new(state: Arc<WriterState>, meter: Option<Arc<StorageMeter>>) -> Self {
        Self { state, meter, kinds: HashMap::new() }
    }

    /// Records the duration of an attempt of a job, whatever its result.
    pub(super) fn took(&mut self, job: &Job, time: Duration) {
        job.log_context.enter(|| self.note(job.kind, job.chat(), time));
    }

    fn note(&mut self, kind: &'static str, chat: Option<ChatId>, time: Duration) {
        if let Some(meter) = &self.meter {
            let seconds = self.kinds.entry(kind).or_insert_with(|| meter.job.with_label_values(&[kind]));
            seconds.observe(time.as_secs_f64());
        }
        if time > SLOW
            && let Some(left_out) = self.state.slow.turn(Instant::now())
        {
            let (ms, chat) = (time.as_millis() as u64, chat.map(|chat| chat.0));
            tracing::warn!(kind, ms, chat, left_out, "slow write");
        }
    }

    /// Records the durations of jobs that were attempted together, and of locking their chats.
    pub(super) fn took_together(&mut self, jobs: &[Job], times: &Times) {
        self.note(LOCKING, None, times.locking);
        for (job, time) in jobs.iter().zip(&times.each) {
            if let Some(time) = *time {
                self.took(job, time);
            }
        }
    }
}
