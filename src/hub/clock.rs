//! The clock by which it is told how long something waits for a socket.

use std::{sync::LazyLock, time::Instant};

/// Milliseconds since this process began to count; never 0.
pub(crate) fn millis() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64 + 1
}
