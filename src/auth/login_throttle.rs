//! Throttling of failed sign-ins: five per minute for an account from one address, a configured number for an
//! address, and eight times that number for the network of one customer.
//!
//! Only failures count. Attempts on one account from one address run one at a time. Attempts from one address
//! run at most as many at a time as the server hashes passwords in parallel. So parallel requests give no
//! additional guesses, and no client can fill the hashing queue.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::client_range::ClientRange;
use crate::{
    core::{model::Refusal, sync::Mutex},
    error::ApiError,
    rate_limit::KeyedMap,
};

/// Length of the sliding window in which failed sign-ins count.
const WINDOW: Duration = Duration::from_secs(60);

/// Failed sign-ins of one account in the window after which further attempts are refused.
const PER_ACCOUNT: usize = 5;

/// Timeout for waiting on other sign-ins of the same account, address or network: as long as that of the hashing
/// queue, which they wait for.
const TURN_TIMEOUT: Duration = Duration::from_secs(25);

/// Minimum number of records before a sweep.
const FEW: usize = 10_000;

/// Key that attempts are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(IpAddr, String),
    Range(ClientRange),
}

/// Failed sign-ins of the last minute, and attempts in progress.
#[derive(Debug)]
pub struct LoginThrottle {
    per_address: usize,
    at_once: usize,
    recent: Mutex<KeyedMap<Key, Record>>,
}

/// State of one [`Key`].
#[derive(Debug)]
struct Record {
    failed: VecDeque<Instant>,
    in_progress: usize,
    /// Limits concurrent attempts; further ones wait in order.
    turns: Arc<Semaphore>,
    /// Notified when an attempt ends.
    ended: Arc<Notify>,
}

/// A sign-in attempt in progress. Dropping it counts nothing.
#[derive(Debug)]
pub struct Attempt {
    failures: Arc<LoginThrottle>,
    keys: [Key; 3],
    _turns: [OwnedSemaphorePermit; 3],
}

impl Attempt {
    /// Counts the attempt as failed. Returns the address and the account that it counts against.
    pub fn failed(self) -> (IpAddr, String) {
        self.failures.count(&self.keys, Instant::now());
        match &self.keys[0] {
            Key::Account(address, account) => (*address, account.clone()),
            Key::Range(range) => (range.address(), String::new()),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut recent = self.failures.recent.lock();
        for key in &self.keys {
            if let Some(record) = recent.get_mut(key) {
                record.in_progress -= 1;
                record.ended.notify_waiters();
            }
        }
    }
}

impl LoginThrottle {
    /// Creates a throttle with the failures per minute and the concurrent attempts that one address may have.
    pub fn new(per_address: usize, at_once: usize) -> Arc<Self> {
        let recent = Mutex::new(KeyedMap::new(FEW));
        Arc::new(Self { per_address, at_once: at_once.max(1), recent })
    }

    /// Waits for a turn to try the password. Fails if too many attempts have failed, or after
    /// `TURN_TIMEOUT`.
    pub async fn attempt(self: &Arc<Self>, address: IpAddr, account: &str) -> Result<Attempt, ApiError> {
        let account = crate::core::model::text::fold(account).chars().take(150).collect();
        let keys = keys(address, account);
        timeout(TURN_TIMEOUT, self.in_turn(keys)).await.unwrap_or(Err(Refusal::Busy.into()))
    }

    async fn in_turn(self: &Arc<Self>, keys: [Key; 3]) -> Result<Attempt, ApiError> {
        let ([of_account, of_address, of_network], ended) = self.turns(&keys, Instant::now())?;
        let closed = |_| ApiError::from(Refusal::Busy);
        let account = of_account.acquire_owned().await.map_err(closed)?;
        let address = of_address.acquire_owned().await.map_err(closed)?;
        let turns = [account, address, of_network.acquire_owned().await.map_err(closed)?];
        loop {
            let another = ended.notified();
            if self.begin(&keys, Instant::now())? {
                return Ok(Attempt { failures: self.clone(), keys, _turns: turns });
            }
            another.await;
        }
    }

    /// Returns what an attempt waits for: its semaphores, and the notification that an attempt in its network
    /// has ended.
    fn turns(&self, keys: &[Key; 3], now: Instant) -> Result<([Arc<Semaphore>; 3], Arc<Notify>), ApiError> {
        let mut recent = self.recent.lock();
        sweep(&mut recent, now);
        let [account, address, network] = [0, 1, 2].map(|at| {
            let record = self.record(&mut recent, &keys[at]);
            (record.throttled(self.most(&keys[at]), now), record.turns.clone(), record.ended.clone())
        });
        if let Some(seconds) = account.0.max(address.0).max(network.0) {
            return Err(ApiError::Throttled { seconds });
        }
        Ok(([account.1, address.1, network.1], network.2))
    }

    /// Begins an attempt that holds its permits. Returns false if the limit would be exceeded should all
    /// attempts in progress fail.
    fn begin(&self, keys: &[Key; 3], now: Instant) -> Result<bool, ApiError> {
        let mut recent = self.recent.lock();
        for key in keys {
            let Some(record) = recent.get_mut(key) else { return Ok(false) };
            if let Some(seconds) = record.throttled(self.most(key), now) {
                return Err(ApiError::Throttled { seconds });
            }
            if record.failed.len() + record.in_progress >= self.most(key) {
                return Ok(false);
            }
        }
        for key in keys {
            self.record(&mut recent, key).in_progress += 1;
        }
        Ok(true)
    }

    /// Counts a failed attempt of another node.
    pub fn count_remote(&self, address: IpAddr, account: String) {
        self.count(&keys(address, account), Instant::now());
    }

    fn count(&self, keys: &[Key; 3], now: Instant) {
        let mut recent = self.recent.lock();
        sweep(&mut recent, now);
        for key in keys {
            let most = self.most(key);
            let record = self.record(&mut recent, key);
            if record.failed.len() >= most {
                record.failed.pop_front();
            }
            record.failed.push_back(now);
        }
    }

    fn most(&self, key: &Key) -> usize {
        match key {
            Key::Account(..) => PER_ACCOUNT.min(self.per_address),
            Key::Range(range) => self.per_address * range.share(),
        }
    }

    fn at_once(&self, key: &Key) -> usize {
        match key {
            Key::Account(..) => 1,
            Key::Range(range) => self.at_once * range.share(),
        }
    }

    fn record<'r>(&self, recent: &'r mut KeyedMap<Key, Record>, key: &Key) -> &'r mut Record {
        recent.get_or_insert_with(key.clone(), || Record {
            failed: VecDeque::new(),
            in_progress: 0,
            turns: Arc::new(Semaphore::new(self.at_once(key))),
            ended: Arc::default(),
        })
    }
}

/// Drops outdated records that no attempt uses.
fn sweep(recent: &mut KeyedMap<Key, Record>, now: Instant) {
    recent.sweep(|record| {
        let is_recent = record.failed.back().is_some_and(|last| now.duration_since(*last) < WINDOW);
        is_recent || Arc::strong_count(&record.turns) > 1
    });
}

impl Record {
    /// Returns the seconds until the next attempt is allowed, if too many have failed.
    fn throttled(&mut self, most: usize, now: Instant) -> Option<u64> {
        while self.failed.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
            self.failed.pop_front();
        }
        let first = self.failed.get(self.failed.len().checked_sub(most)?)?;
        Some(WINDOW.saturating_sub(now.duration_since(*first)).as_secs() + 1)
    }
}

/// Returns the keys that an attempt is counted by.
fn keys(address: IpAddr, account: String) -> [Key; 3] {
    let [machine, customer] = ClientRange::of(address);
    [Key::Account(machine.address(), account), Key::Range(machine), Key::Range(customer)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: [u8; 4] = [127, 0, 0, 1];

    fn keys(address: [u8; 4], account: &str) -> [Key; 3] {
        super::keys(address.into(), account.to_owned())
    }

    fn is_throttled(failures: &LoginThrottle, address: [u8; 4], account: &str, now: Instant) -> bool {
        failures.turns(&keys(address, account), now).is_err()
    }

    #[test]
    fn five_failures_lock_an_account_out_for_a_minute() {
        let (failures, start) = (LoginThrottle::new(20, 2), Instant::now());
        (0..5).for_each(|_| failures.count(&keys(ANN, "alice"), start));
        let refused = failures.turns(&keys(ANN, "alice"), start).unwrap_err();
        assert_eq!(refused, ApiError::Throttled { seconds: 61 });
        assert!(!is_throttled(&failures, ANN, "bob", start));
        assert!(!is_throttled(&failures, [127, 0, 0, 2], "alice", start));
        assert!(!is_throttled(&failures, ANN, "alice", start + WINDOW));
    }

    #[test]
    fn addresses_have_a_limit_of_their_own() {
        let (failures, now) = (LoginThrottle::new(20, 2), Instant::now());
        (0..20).for_each(|guess| failures.count(&keys(ANN, &format!("user{guess}")), now));
        assert!(is_throttled(&failures, ANN, "another", now));
        assert!(!is_throttled(&failures, [127, 0, 0, 2], "another", now));
    }

    #[test]
    fn a_network_with_many_addresses_has_a_limit() {
        let (failures, now) = (LoginThrottle::new(20, 2), Instant::now());
        let at = |number: usize| format!("2001:db8:1:{number:x}::1").parse().unwrap();
        let count = |number: usize| {
            let keys = super::keys(at(number), format!("user{number}"));
            let is_refused = failures.turns(&keys, now).is_err();
            failures.count(&keys, now);
            is_refused
        };
        assert_eq!((0..1_000).position(count), Some(8 * 20));
        let elsewhere = super::keys("2001:db8:2::1".parse().unwrap(), "ann".to_owned());
        assert!(failures.turns(&elsewhere, now).is_ok());
    }

    #[actix_web::test]
    async fn what_is_under_way_does_not_count_and_gets_no_further_than_one_after_the_other() {
        let failures = LoginThrottle::new(20, 3);
        let tries = (0..100).map(|number| {
            let failures = failures.clone();
            async move {
                let attempt = failures.attempt(ANN.into(), &format!("user{number}")).await?;
                tokio::task::yield_now().await;
                attempt.failed();
                Ok::<_, ApiError>(())
            }
        });
        let tried = futures_util::future::join_all(tries).await;
        assert_eq!(tried.iter().filter(|tried| tried.is_ok()).count(), 20);
        let right = (0..100).map(|number| {
            let failures = failures.clone();
            async move { failures.attempt([127, 0, 0, 2].into(), &format!("user{number}")).await.map(drop) }
        });
        assert!(futures_util::future::join_all(right).await.iter().all(Result::is_ok));
    }
}
