//! Monotonic clock for the age of queued events.

use std::{sync::LazyLock, time::Instant};

/// Returns milliseconds since the first call in this process; never 0.
pub(crate) fn millis() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64 + 1
}
