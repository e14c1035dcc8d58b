//! Limits on failed sign-ins: five a minute for an account from one address, twenty for an address.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_secs(60);
const PER_ACCOUNT: usize = 5;
const PER_ADDRESS: usize = 20;

/// Above so many entries the outdated ones are cleared out.
const SWEEP_AT: usize = 10_000;

/// What attempts are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(IpAddr, String),
    Address(IpAddr),
}

/// Recent failed sign-ins.
#[derive(Debug, Default)]
pub struct Failures {
    recent: Mutex<HashMap<Key, VecDeque<Instant>>>,
}

/// A sign-in under way; it counts as failed unless it is told that it succeeded.
#[derive(Debug)]
pub struct Attempt {
    keys: [Key; 2],
    at: Instant,
}

impl Attempt {
    /// The account and the address that it counts against.
    pub fn target(&self) -> (IpAddr, String) {
        match &self.keys[0] {
            Key::Account(address, account) => (*address, account.clone()),
            Key::Address(address) => (*address, String::new()),
        }
    }
}

impl Failures {
    /// Counts an attempt before it is made, so that many at once get no further than one after the other. `Err`: in
    /// so many seconds.
    pub fn attempt(&self, address: IpAddr, account: &str, now: Instant) -> Result<Attempt, u64> {
        let account = crate::model::text::fold(account).chars().take(150).collect();
        let address = neighbourhood(address);
        let keys = [Key::Account(address, account), Key::Address(address)];
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        sweep(&mut recent, now);
        for (key, limit) in keys.iter().zip([PER_ACCOUNT, PER_ADDRESS]) {
            let times = recent.entry(key.clone()).or_default();
            while times.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
                times.pop_front();
            }
            if times.len() >= limit {
                let free_in = WINDOW.saturating_sub(now.duration_since(times[times.len() - limit]));
                return Err(free_in.as_secs() + 1);
            }
        }
        for key in &keys {
            recent.entry(key.clone()).or_default().push_back(now);
        }
        Ok(Attempt { keys, at: now })
    }

    /// An attempt failed on another node.
    pub fn heard(&self, address: IpAddr, account: String) {
        let now = Instant::now();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        sweep(&mut recent, now);
        for (key, most) in
            [(Key::Account(address, account), PER_ACCOUNT), (Key::Address(address), PER_ADDRESS)]
        {
            let times = recent.entry(key).or_default();
            if times.len() >= most {
                times.pop_front();
            }
            times.push_back(now);
        }
    }

    /// The attempt was none that failed.
    pub fn succeeded(&self, attempt: &Attempt) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &attempt.keys {
            if let Some(times) = recent.get_mut(key)
                && let Some(index) = times.iter().position(|time| *time == attempt.at)
            {
                times.remove(index);
            }
        }
    }
}

fn sweep(recent: &mut HashMap<Key, VecDeque<Instant>>, now: Instant) {
    if recent.len() > SWEEP_AT {
        recent.retain(|_, times| times.back().is_some_and(|last| now.duration_since(*last) < WINDOW));
    }
}

/// What one customer has: an IPv4 address, or the /64 network of an IPv6 address.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(
            || IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            IpAddr::V4,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_lock_an_account_out_for_a_minute() {
        let (failures, start) = (Failures::default(), Instant::now());
        let ann: IpAddr = [127, 0, 0, 1].into();
        for _ in 0..5 {
            failures.attempt(ann, "alice", start).unwrap();
        }
        assert_eq!(failures.attempt(ann, "Alice", start).unwrap_err(), 61);
        assert!(failures.attempt(ann, "bob", start).is_ok());
        assert!(failures.attempt([127, 0, 0, 2].into(), "alice", start).is_ok());
        assert!(failures.attempt(ann, "alice", start + WINDOW).is_ok());
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        let at = |text: &str| neighbourhood(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:127.0.0.1"), at("127.0.0.1"));
    }

    #[test]
    fn successes_do_not_count_and_addresses_have_a_limit() {
        let (failures, now) = (Failures::default(), Instant::now());
        let address: IpAddr = [127, 0, 0, 1].into();
        for _ in 0..100 {
            let attempt = failures.attempt(address, "alice", now).unwrap();
            failures.succeeded(&attempt);
        }
        for guess in 0..20 {
            failures.attempt(address, &format!("user{guess}"), now).unwrap();
        }
        assert!(failures.attempt(address, "another", now).is_err());
    }
}
