//! The log of jobs that take long.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Between two lines about jobs that took long.
const PAUSE: Duration = Duration::from_secs(1);

/// When the last job that took long was logged, and how many have not been since.
#[derive(Debug, Default)]
pub(super) struct SlowLog(Mutex<(Option<Instant>, u64)>);

impl SlowLog {
    /// Whether to log one now: how many were left out before it.
    pub(super) fn turn(&self, now: Instant) -> Option<u64> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.0.is_some_and(|last| now < last + PAUSE) {
            log.1 += 1;
            return None;
        }
        log.0 = Some(now);
        Some(std::mem::take(&mut log.1))
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
