//! Rate limits per user on this node, and the parts of which all limiters consist.

mod gcra;
mod keyed_map;
mod rates;
mod route_limits;
mod user_locks;

use std::sync::{Arc, MutexGuard};

use prometheus::IntCounter;

use crate::core::{metrics::Instruments, model::UserId, sync::Mutex};
pub use gcra::{Gcra, Rate};
pub(crate) use gcra::{Moment, moment, now};
pub(crate) use keyed_map::KeyedMap;
pub use rates::{LimitClass, Rates};
pub use route_limits::RouteLimits;
pub use user_locks::{MANY, UserLocks};

/// Number of shards of the map of users, to reduce lock contention.
const SHARDS: usize = 64;

/// Minimum number of entries of a shard before idle users are evicted.
const FEW: usize = 256;

/// Rate limiter of users.
#[derive(Debug)]
pub struct RateLimiter {
    rates: Rates,
    shards: Vec<Mutex<Shard>>,
    meter: Option<Arc<LimitMeter>>,
}

type Shard = KeyedMap<UserId, [Gcra; LimitClass::ALL.len()]>;

impl RateLimiter {
    pub fn new(rates: Rates, meter: Option<Arc<LimitMeter>>) -> Self {
        Self { rates, shards: (0..SHARDS).map(|_| Mutex::new(KeyedMap::new(FEW))).collect(), meter }
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
        if let Some(limits) = self.shard(user).get_mut(&user) {
            limits[kind as usize].give_back(rate);
        }
    }

    fn take_at(&self, user: UserId, kind: LimitClass, now: Moment) -> Result<(), u64> {
        let Some(rate) = self.rates.of(kind) else { return Ok(()) };
        let mut shard = self.shard(user);
        shard.sweep(|limits| limits.iter().any(|limit| !limit.is_idle(now)));
        shard.get_or_insert_with(user, Default::default)[kind as usize].take(rate, now)
    }

    fn shard(&self, user: UserId) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[user.0.unsigned_abs() as usize % SHARDS];
        shard.lock()
    }
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
        let kept: usize = limits.shards.iter().map(|shard| shard.lock().len()).sum();
        assert!(kept <= SHARDS * FEW, "{kept}");
    }
}
