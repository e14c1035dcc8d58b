//! Time as a run counts it: nanoseconds since the run began.

use std::time::{Duration, Instant};

/// Nanoseconds since a run began.
pub(crate) type Moment = u64;

/// What tells the time of a run.
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

/// A time as nanoseconds.
pub(crate) fn nanos(duration: Duration) -> Moment {
    duration.as_nanos() as u64
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(nanos: Moment) -> f64 {
    nanos as f64 / 1e9
}
