//! Rate limit of the log lines about slow jobs.

use std::time::{Duration, Instant};

use crate::core::sync::Mutex;

/// Least time between two log lines about slow jobs.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Time of the last log line about a slow job, and the number of slow jobs left out since.
#[derive(Debug, Default)]
pub(super) struct SlowLog(Mutex<(Option<Instant>, u64)>);

impl SlowLog {
    /// Asks to log a slow job. Returns how many were left out before it, or `None` if this one is left out
    /// too.
    pub(super) fn turn(&self, now: Instant) -> Option<u64> {
        let mut log = self.0.lock();
        if log.0.is_some_and(|last| now < last + LOG_INTERVAL) {
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
        assert_eq!((log.turn(now), log.turn(now + LOG_INTERVAL / 2)), (None, None));
        assert_eq!((log.turn(now + LOG_INTERVAL), log.turn(now + 2 * LOG_INTERVAL)), (Some(2), Some(0)));
    }
}
