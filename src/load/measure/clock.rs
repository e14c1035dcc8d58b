//! The clock of a run: nanoseconds since the run began.

use std::time::{Duration, Instant};

/// Nanoseconds since a run began.
pub(crate) type Moment = u64;

/// A monotonic clock that starts with the run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    begun: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { begun: Instant::now() }
    }

    pub(crate) fn now(&self) -> Moment {
        self.begun.elapsed().as_nanos() as u64
    }

    pub(crate) async fn until(&self, moment: Moment) {
        tokio::time::sleep_until((self.begun + Duration::from_nanos(moment)).into()).await;
    }
}

/// Converts a duration to nanoseconds.
pub(crate) fn nanos(duration: Duration) -> Moment {
    duration.as_nanos() as u64
}

/// Converts nanoseconds to seconds.
pub(crate) fn seconds(nanos: Moment) -> f64 {
    nanos as f64 / 1e9
}
