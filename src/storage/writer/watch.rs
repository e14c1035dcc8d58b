//! How long each job takes, by its kind: counted, and logged where it is long.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus::Histogram;

use super::{job::Job, lane::State};
use crate::{
    model::ChatId,
    storage::{StorageMeter, apply::Times},
};

/// A job that takes longer is logged: nobody else writes meanwhile on SQLite, and on PostgreSQL a lane is taken.
const SLOW: Duration = Duration::from_millis(50);

/// Between two lines about jobs that took long.
const PAUSE: Duration = Duration::from_secs(1);

/// What finding and locking the chats of commands that share a transaction is counted as.
const LOCKING: &str = "lock_chats";

/// When the last job that took long was logged, and how many have not been since.
#[derive(Debug, Default)]
pub(super) struct SlowLog(Mutex<(Option<Instant>, u64)>);

impl SlowLog {
    /// Whether to log one now: how many were left out before it.
    fn turn(&self, now: Instant) -> Option<u64> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.0.is_some_and(|last| now < last + PAUSE) {
            log.1 += 1;
            return None;
        }
        log.0 = Some(now);
        Some(std::mem::take(&mut log.1))
    }
}

/// The instruments of one lane. Each kind's is looked for once.
pub(super) struct Watch {
    state: Arc<State>,
    meter: Option<Arc<StorageMeter>>,
    kinds: HashMap<&'static str, Histogram>,
}

impl Watch {
    pub fn new(state: Arc<State>, meter: Option<Arc<StorageMeter>>) -> Self {
        Self { state, meter, kinds: HashMap::new() }
    }

    /// A job was attempted, whatever came of it.
    pub fn took(&mut self, kind: &'static str, chat: Option<ChatId>, time: Duration) {
        if let Some(meter) = &self.meter {
            let seconds = self.kinds.entry(kind).or_insert_with(|| meter.job.with_label_values(&[kind]));
            seconds.observe(time.as_secs_f64());
        }
        if time > SLOW
            && let Some(left_out) = self.state.slow.turn(Instant::now())
        {
            let (ms, chat) = (time.as_millis() as u64, chat.map(|chat| chat.0));
            tracing::warn!(kind, ms, chat, left_out, "a write took long");
        }
    }

    /// The same for jobs that were attempted together.
    pub fn took_together(&mut self, jobs: &[Job], times: &Times) {
        self.took(LOCKING, None, times.locking);
        for (job, time) in jobs.iter().zip(&times.each) {
            if let Some(time) = *time {
                self.took(job.kind, job.chat(), time);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_slow_jobs_are_one_line_a_second_that_counts_the_others() {
        let (log, now) = (SlowLog::default(), Instant::now());
        assert_eq!(log.turn(now), Some(0));
        assert_eq!((log.turn(now), log.turn(now + PAUSE / 2)), (None, None));
        assert_eq!((log.turn(now + PAUSE), log.turn(now + 2 * PAUSE)), (Some(2), Some(0)));
    }
}
