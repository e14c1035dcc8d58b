//! Rate limits per user on this node, by the GCRA algorithm, which keeps one timestamp per user and limit.

mod classify;
mod rates;
mod turns;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use prometheus::IntCounter;

use crate::core::{metrics::Instruments, model::UserId};
pub use rates::{LimitClass, Rate, Rates};
pub use turns::{MANY, Turns};

/// Number of shards of the map of users, to reduce lock contention.
const SHARDS: usize = 64;

/// Minimum number of entries of a shard before idle users are evicted.
const FEW: usize = 256;

/// Monotonic time: nanoseconds since the first call of [`now`] in this process.
pub(crate) type Moment = u64;

/// Rate limiter of users.
#[derive(Debug)]
pub struct RateLimiter {
    rates: Rates,
    shards: Vec<Mutex<Shard>>,
    meter: Option<Arc<LimitMeter>>,
}

#[derive(Debug)]
struct Shard {
    /// Theoretical arrival times by user and limit: the time from which nothing counts any more.
    users: HashMap<UserId, [Moment; LimitClass::ALL.len()]>,
    /// Number of entries at which idle users are evicted.
    sweep_at: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { users: HashMap::new(), sweep_at: FEW }
    }
}

impl RateLimiter {
    pub fn new(rates: Rates, meter: Option<Arc<LimitMeter>>) -> Self {
        Self { rates, shards: (0..SHARDS).map(|_| Mutex::default()).collect(), meter }
    }

    /// Whether any limit is set.
    pub fn is_on(&self) -> bool {
        self.rates.any()
    }

    /// Counts a request. `Err`: the limit is exceeded; the seconds until a retry is allowed.
    pub fn take(&self, user: UserId, kind: LimitClass) -> Result<(), u64> {
        let taken = self.take_at(user, kind, now());
        if let (Err(_), Some(meter)) = (&taken, &self.meter) {
            meter.throttled[kind as usize].inc();
        }
        taken
    }

    /// Gives back a counted request that had no effect.
    pub fn give_back(&self, user: UserId, kind: LimitClass) {
        let Some(rate) = self.rates.of(kind) else { return };
        let mut shard = self.shard(user);
        if let Some(free_at) = shard.users.get_mut(&user) {
            free_at[kind as usize] = rate.give_back(free_at[kind as usize]);
        }
    }

    fn take_at(&self, user: UserId, kind: LimitClass, now: Moment) -> Result<(), u64> {
        let Some(rate) = self.rates.of(kind) else { return Ok(()) };
        let mut shard = self.shard(user);
        shard.sweep(now);
        let free_at = &mut shard.users.entry(user).or_default()[kind as usize];
        *free_at = rate.take(*free_at, now)?;
        Ok(())
    }

    fn shard(&self, user: UserId) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[user.0.unsigned_abs() as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Evicts idle users if the shard has doubled since the last time.
    fn sweep(&mut self, now: Moment) {
        if self.users.len() < self.sweep_at {
            return;
        }
        self.users.retain(|_, free_at| free_at.iter().any(|moment| *moment > now));
        self.users.shrink_to(FEW.max(2 * self.users.len()));
        self.sweep_at = FEW.max(2 * self.users.len());
    }
}

pub(crate) fn now() -> Moment {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as Moment
}

/// Metrics of the rate limiter.
#[derive(Debug)]
pub struct LimitMeter {
    throttled: [IntCounter; LimitClass::ALL.len()],
}

impl LimitMeter {
    pub fn new(instruments: &Instruments) -> Self {
        let throttled = instruments.counters(
            "greenroom_throttled_total",
            "Requests and commands rejected by a rate limit of the user, by limit.",
            &["limit"],
        );
        Self { throttled: LimitClass::ALL.map(|kind| throttled.with_label_values(&[kind.name()])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Moment = 1_000_000_000;

    fn limits(text: &str) -> RateLimiter {
        RateLimiter::new(Rates::parse(text).unwrap(), None)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let limits = limits("send=10/s:30");
        let passes =
            |now| (0..1_000).filter(|_| limits.take_at(UserId(1), LimitClass::Send, now).is_ok()).count();
        assert_eq!(passes(SECOND), 30);
        assert_eq!(passes(2 * SECOND), 10);
        assert_eq!(passes(2 * SECOND + SECOND / 2), 5);
        assert_eq!(passes(100 * SECOND), 30);
    }

    #[test]
    fn it_tells_when_to_come_back_and_that_is_true() {
        let limits = limits("search=2/h:1");
        let take = |now| limits.take_at(UserId(1), LimitClass::Search, now);
        assert_eq!(take(SECOND), Ok(()));
        assert_eq!(take(SECOND), Err(1_800));
        assert_eq!(take(1_700 * SECOND), Err(101));
        assert_eq!(take(1_801 * SECOND), Ok(()));
    }

    #[test]
    fn what_came_to_nothing_leaves_room() {
        let limits = limits("groups=2/h");
        for _ in 0..10 {
            assert_eq!(limits.take_at(UserId(1), LimitClass::Groups, SECOND), Ok(()));
            assert_eq!(limits.take_at(UserId(1), LimitClass::Groups, SECOND), Ok(()));
            assert!(limits.take_at(UserId(1), LimitClass::Groups, SECOND).is_err());
            limits.give_back(UserId(1), LimitClass::Groups);
            limits.give_back(UserId(1), LimitClass::Groups);
        }
    }

    #[test]
    fn users_and_kinds_have_limits_of_their_own() {
        let limits = limits("send=1/m,typing=1/m");
        assert_eq!(limits.take_at(UserId(1), LimitClass::Send, 0), Ok(()));
        assert!(limits.take_at(UserId(1), LimitClass::Send, 0).is_err());
        assert_eq!(limits.take_at(UserId(1), LimitClass::Typing, 0), Ok(()));
        assert_eq!(limits.take_at(UserId(2), LimitClass::Send, 0), Ok(()));
        for _ in 0..100 {
            assert_eq!(limits.take_at(UserId(1), LimitClass::Other, 0), Ok(()));
        }
    }

    #[test]
    fn idle_users_are_forgotten() {
        let limits = limits("other=1/s");
        for user in 0..1_000_000 {
            // A thousand requests a second, each by another user.
            let now = user as Moment * SECOND / 1_000;
            assert_eq!(limits.take_at(UserId(user), LimitClass::Other, now), Ok(()));
        }
        let kept: usize = limits.shards.iter().map(|shard| shard.lock().unwrap().users.len()).sum();
        assert!(kept <= SHARDS * FEW, "{kept}");
    }
}
