//! Monotonic clock of this process, for times that are stored as integers. It starts with the first call.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Returns the time from the start of the clock until `at`; zero if `at` is earlier.
pub(crate) fn since_start(at: Instant) -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    at.saturating_duration_since(*START)
}

/// Returns the milliseconds since the start of the clock, plus one: never 0.
pub(crate) fn millis() -> u64 {
    since_start(Instant::now()).as_millis() as u64 + 1
}

/// Returns the microseconds since the start of the clock.
pub(crate) fn micros() -> u64 {
    since_start(Instant::now()).as_micros() as u64
}
