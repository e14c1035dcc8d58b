//! The generic cell rate algorithm (GCRA). It keeps one timestamp for each limited client, and has no clock of
//! its own.

use std::time::{Duration, Instant};

use crate::core::clock;

/// Monotonic time: nanoseconds on the clock of the process.
pub(crate) type Moment = u64;

const SECOND: u64 = 1_000_000_000;

/// Returns the current time of the rate limits.
pub(crate) fn now() -> Moment {
    moment(Instant::now())
}

/// Converts a time to the clock of the rate limits.
pub(crate) fn moment(at: Instant) -> Moment {
    clock::since_start(at).as_nanos() as Moment
}

/// A rate and a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Emission interval: the time that one request uses up, in nanoseconds.
    interval: u64,
    /// Burst tolerance: how far the theoretical arrival time may be ahead of now, in nanoseconds.
    tolerance: u64,
}

impl Rate {
    /// Returns the rate of `count` in each `period`, with a burst of `burst`.
    pub fn new(count: u32, period: Duration, burst: u32) -> Self {
        let interval = (period.as_nanos() as u64 / u64::from(count.max(1))).max(1);
        Self { interval, tolerance: interval * u64::from(burst) }
    }

    /// Returns the rate of `count` clients together, with the same tolerance.
    pub(crate) fn times(self, count: usize) -> Self {
        Self { interval: (self.interval / count as u64).max(1), tolerance: self.tolerance }
    }
}

/// State of one limit of one client: the theoretical arrival time, from which nothing counts any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gcra(Moment);

impl Gcra {
    /// Counts a request. `Err`: the limit is exceeded and nothing is counted; the seconds until a retry is
    /// allowed.
    pub(crate) fn take(&mut self, rate: Rate, now: Moment) -> Result<(), u64> {
        let next = self.0.max(now) + rate.interval;
        let too_far = (next - now).saturating_sub(rate.tolerance);
        if too_far > 0 {
            return Err(too_far.div_ceil(SECOND));
        }
        self.0 = next;
        Ok(())
    }

    /// Gives back a counted request.
    pub(crate) fn give_back(&mut self, rate: Rate) {
        self.0 = self.0.saturating_sub(rate.interval);
    }

    /// Whether nothing counts any more, so that the state can be evicted.
    pub(crate) fn is_idle(self, now: Moment) -> bool {
        self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_second(count: u32, burst: u32) -> Rate {
        Rate::new(count, Duration::from_secs(1), burst)
    }

    fn passes(gcra: &mut Gcra, rate: Rate, now: Moment) -> usize {
        (0..1_000).filter(|_| gcra.take(rate, now).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let (mut gcra, rate) = (Gcra::default(), per_second(10, 30));
        assert_eq!(passes(&mut gcra, rate, SECOND), 30);
        assert_eq!(passes(&mut gcra, rate, 2 * SECOND), 10);
        assert_eq!(passes(&mut gcra, rate, 2 * SECOND + SECOND / 2), 5);
        assert_eq!(passes(&mut gcra, rate, 100 * SECOND), 30);
    }

    #[test]
    fn it_tells_when_to_come_back_and_that_is_true() {
        let (mut gcra, rate) = (Gcra::default(), Rate::new(2, Duration::from_secs(3_600), 1));
        assert_eq!(gcra.take(rate, SECOND), Ok(()));
        assert_eq!(gcra.take(rate, SECOND), Err(1_800));
        assert_eq!(gcra.take(rate, 1_700 * SECOND), Err(101));
        assert_eq!(gcra.take(rate, 1_801 * SECOND), Ok(()));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (mut gcra, rate) = (Gcra::default(), per_second(1, 2));
        for _ in 0..10 {
            assert_eq!(passes(&mut gcra, rate, SECOND), 2);
            gcra.give_back(rate);
            gcra.give_back(rate);
        }
        assert!(gcra.is_idle(SECOND));
        assert_eq!(passes(&mut gcra, rate, SECOND), 2);
        assert!(!gcra.is_idle(3 * SECOND - 1));
        assert!(gcra.is_idle(3 * SECOND));
    }

    #[test]
    fn many_clients_together_have_their_sum() {
        let (mut gcra, rate) = (Gcra::default(), per_second(3, 3).times(8));
        assert_eq!(passes(&mut gcra, rate, 0), 24);
    }

    #[test]
    fn the_largest_and_the_slowest_can_be_told() {
        let (mut gcra, rate) = (Gcra::default(), Rate::new(1, Duration::from_secs(3_600), 1_000_000));
        let decades = 10_000_000_000 * SECOND / 100;
        assert!(gcra.take(rate, decades).is_ok());
        gcra.0 = decades + rate.tolerance;
        assert_eq!(gcra.take(rate, decades), Err(3_600));
        let (mut gcra, rate) = (Gcra::default(), per_second(u32::MAX, u32::MAX));
        assert_eq!(passes(&mut gcra, rate, SECOND), 1_000);
    }
}
