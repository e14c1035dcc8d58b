//! How much each user may ask of this node, where that is limited: GCRA, which keeps one moment for each user and kind.

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
pub use rates::{Kind, Rate, Rates};
pub use turns::{MANY, Turns};

/// Maps of users, so that threads seldom wait for one another.
const SHARDS: usize = 64;

/// A map of no more entries than this is not looked through for idle users.
const FEW: usize = 256;

/// Nanoseconds since this process began to count.
pub(crate) type Moment = u64;

/// What users have asked for of late.
#[derive(Debug)]
pub struct Limits {
    rates: Rates,
    shards: Vec<Mutex<Shard>>,
    meter: Option<Arc<LimitMeter>>,
}

#[derive(Debug)]
struct Shard {
    /// For each kind the moment from which on nothing of what a user asked counts any more.
    users: HashMap<UserId, [Moment; Kind::ALL.len()]>,
    /// So many entries, and the idle ones are looked for.
    sweep_at: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { users: HashMap::new(), sweep_at: FEW }
    }
}

impl Limits {
    pub fn new(rates: Rates, meter: Option<Arc<LimitMeter>>) -> Self {
        Self { rates, shards: (0..SHARDS).map(|_| Mutex::default()).collect(), meter }
    }

    /// Whether anything is limited.
    pub fn is_on(&self) -> bool {
        self.rates.any()
    }

    /// Lets a user do something, or tells in how many seconds they may.
    pub fn take(&self, user: UserId, kind: Kind) -> Result<(), u64> {
        let taken = self.take_at(user, kind, now());
        if let (Err(_), Some(meter)) = (&taken, &self.meter) {
            meter.throttled[kind as usize].inc();
        }
        taken
    }

    /// Takes back one that was let through and came to nothing.
    pub fn give_back(&self, user: UserId, kind: Kind) {
        let Some(rate) = self.rates.of(kind) else { return };
        let mut shard = self.shard(user);
        if let Some(free_at) = shard.users.get_mut(&user) {
            free_at[kind as usize] = rate.give_back(free_at[kind as usize]);
        }
    }

    fn take_at(&self, user: UserId, kind: Kind, now: Moment) -> Result<(), u64> {
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
    /// Forgets users of whom nothing counts any more, once in a while: the map has at most twice as many as do count.
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

/// What is counted of limits.
#[derive(Debug)]
pub struct LimitMeter {
    throttled: [IntCounter; Kind::ALL.len()],
}

impl LimitMeter {
    pub fn new(instruments: &Instruments) -> Self {
        let throttled = instruments.counters(
            "greenroom_throttled_total",
            "Requests and commands that were turned down since the user had asked too much, by limit.",
            &["limit"],
        );
        Self { throttled: Kind::ALL.map(|kind| throttled.with_label_values(&[kind.name()])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Moment = 1_000_000_000;

    fn limits(text: &str) -> Limits {
        Limits::new(Rates::parse(text).unwrap(), None)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let limits = limits("send=10/s:30");
        let passes = |now| (0..1_000).filter(|_| limits.take_at(UserId(1), Kind::Send, now).is_ok()).count();
        assert_eq!(passes(SECOND), 30);
        assert_eq!(passes(2 * SECOND), 10);
        assert_eq!(passes(2 * SECOND + SECOND / 2), 5);
        assert_eq!(passes(100 * SECOND), 30);
    }

    #[test]
    fn it_tells_when_to_come_back_and_that_is_true() {
        let limits = limits("search=2/h:1");
        let take = |now| limits.take_at(UserId(1), Kind::Search, now);
        assert_eq!(take(SECOND), Ok(()));
        assert_eq!(take(SECOND), Err(1_800));
        assert_eq!(take(1_700 * SECOND), Err(101));
        assert_eq!(take(1_801 * SECOND), Ok(()));
    }

    #[test]
    fn what_came_to_nothing_leaves_room() {
        let limits = limits("groups=2/h");
        for _ in 0..10 {
            assert_eq!(limits.take_at(UserId(1), Kind::Groups, SECOND), Ok(()));
            assert_eq!(limits.take_at(UserId(1), Kind::Groups, SECOND), Ok(()));
            assert!(limits.take_at(UserId(1), Kind::Groups, SECOND).is_err());
            limits.give_back(UserId(1), Kind::Groups);
            limits.give_back(UserId(1), Kind::Groups);
        }
    }

    #[test]
    fn users_and_kinds_have_limits_of_their_own() {
        let limits = limits("send=1/m,typing=1/m");
        assert_eq!(limits.take_at(UserId(1), Kind::Send, 0), Ok(()));
        assert!(limits.take_at(UserId(1), Kind::Send, 0).is_err());
        assert_eq!(limits.take_at(UserId(1), Kind::Typing, 0), Ok(()));
        assert_eq!(limits.take_at(UserId(2), Kind::Send, 0), Ok(()));
        for _ in 0..100 {
            assert_eq!(limits.take_at(UserId(1), Kind::Other, 0), Ok(()));
        }
    }

    #[test]
    fn idle_users_are_forgotten() {
        let limits = limits("other=1/s");
        for user in 0..1_000_000 {
            // A thousand a second, each of whom counts for one.
            let now = user as Moment * SECOND / 1_000;
            assert_eq!(limits.take_at(UserId(user), Kind::Other, now), Ok(()));
        }
        let kept: usize = limits.shards.iter().map(|shard| shard.lock().unwrap().users.len()).sum();
        assert!(kept <= SHARDS * FEW, "{kept}");
    }
}
