//! The key set of an identity provider: fetched at the start, every ten minutes, and when a token names an unknown
//! key.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use awc::{
    Client, Connector,
    http::{
        StatusCode,
        header::{ACCEPT, USER_AGENT},
    },
};
use fail::fail_point;
use tokio::{
    sync::{Notify, watch},
    time::{timeout, timeout_at},
};
use url::Url;

use super::keys::{self, VerifyingKey};
use crate::core::{sync::Mutex, tls};

/// Interval of fetching the set.
const FETCH_EVERY: Duration = Duration::from_secs(10 * 60);

/// Minimum time between two fetches, whatever asks for them.
const MIN_INTERVAL: Duration = Duration::from_secs(30);

/// How long a set is used while its host does not answer.
const USED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Timeout of a fetch.
const FETCHED_WITHIN: Duration = Duration::from_secs(5);

/// Timeout of waiting for a fetch that has been requested.
const WAIT_LIMIT: Duration = Duration::from_secs(6);

/// Maximum size of a set, in bytes.
const LARGEST: usize = 64 << 10;

/// Returns [`MIN_INTERVAL`], or the milliseconds that a test gives.
fn min_interval() -> Duration {
    fail_point!("jwks-interval", |millis| {
        Duration::from_millis(millis.and_then(|millis| millis.parse().ok()).unwrap_or_default())
    });
    MIN_INTERVAL
}

/// Keys of a set.
pub(super) type Keys = Arc<[Arc<VerifyingKey>]>;

/// The key set of an identity provider, kept in memory.
pub struct RemoteKeys {
    url: Url,
    set: Mutex<KeySet>,
    /// Notified when the set should be fetched.
    wanted: Notify,
    /// Number of fetches that have ended.
    ended: watch::Sender<u64>,
}

/// The last set that was fetched, and when.
#[derive(Debug, Default)]
struct KeySet {
    /// `None`: none was fetched yet, or the last one is too old.
    keys: Option<Keys>,
    fetched_at: Option<Instant>,
    /// When the last fetch began.
    tried_at: Option<Instant>,
    is_fetching: bool,
}

impl KeySet {
    /// Whether the next fetch may begin now.
    fn may_fetch(&self, now: Instant) -> bool {
        self.tried_at.is_none_or(|at| now.saturating_duration_since(at) >= min_interval())
    }

    /// Replaces the set. Keys that stay are the same objects. Retires those that are gone, and returns how many.
    fn replace(&mut self, fetched: Vec<VerifyingKey>, now: Instant) -> usize {
        let old = self.keys.take().unwrap_or_default();
        let keep = |new: VerifyingKey| {
            let kept = old.iter().find(|old| old.is_same(&new));
            kept.cloned().unwrap_or_else(|| Arc::new(new))
        };
        let keys: Keys = fetched.into_iter().map(keep).collect();
        let gone = old.iter().filter(|old| !keys.iter().any(|key| Arc::ptr_eq(key, old)));
        let retired = gone.inspect(|key| key.life.retire()).count();
        (self.keys, self.fetched_at) = (Some(keys), Some(now));
        retired
    }

    /// Drops a set that is too old. Returns the number of keys that it retired.
    fn expire(&mut self, now: Instant) -> usize {
        if self.fetched_at.is_none_or(|at| now.saturating_duration_since(at) < USED_FOR) {
            return 0;
        }
        let old = self.keys.take().unwrap_or_default();
        old.iter().for_each(|key| key.life.retire());
        old.len()
    }
}

/// Why a set could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer within {} seconds", FETCHED_WITHIN.as_secs())]
    Timeout,
    #[error("{0}")]
    Connection(String),
    #[error("the answer has status {0}; redirects are not followed")]
    Status(u16),
    #[error("the answer is longer than {LARGEST} bytes, or broken")]
    Body,
    #[error("the answer is not a JSON Web Key Set")]
    NoSet,
}

impl RemoteKeys {
    pub(super) fn new(url: Url) -> Self {
        Self { url, set: Mutex::default(), wanted: Notify::new(), ended: watch::Sender::new(0) }
    }

    /// Returns the keys of the set. `None`: there is none.
    pub(super) fn keys(&self) -> Option<Keys> {
        self.set.lock().keys.clone()
    }

    /// Requests a fetch and waits for it, unless the last one began a short time ago.
    pub(super) async fn fetch_now(&self) {
        let mut ended = self.ended.subscribe();
        {
            let mut set = self.set.lock();
            if !set.is_fetching {
                if !set.may_fetch(Instant::now()) {
                    return;
                }
                set.is_fetching = true;
                self.wanted.notify_one();
            }
        }
        let _ = timeout(WAIT_LIMIT, ended.changed()).await;
    }

    /// Fetches the set again and again. Calls `on_retired` when keys are gone.
    pub async fn run(self: Arc<Self>, on_retired: impl Fn()) {
        let client = client();
        loop {
            {
                let mut set = self.set.lock();
                (set.is_fetching, set.tried_at) = (true, Some(Instant::now()));
            }
            let fetched = timeout(FETCHED_WITHIN, fetch(&client, &self.url)).await;
            let is_fetched = self.take(fetched.unwrap_or(Err(FetchError::Timeout)), &on_retired);
            self.wait(if is_fetched { FETCH_EVERY } else { min_interval() }).await;
        }
    }

    /// Waits until the next fetch is due, or requested and allowed.
    async fn wait(&self, pause: Duration) {
        let due = tokio::time::Instant::now() + pause;
        while timeout_at(due, self.wanted.notified()).await.is_ok() {
            // A request from before the last fetch was answered by it.
            if self.set.lock().may_fetch(Instant::now()) {
                break;
            }
        }
    }

    /// Takes the result of a fetch. Returns whether it is a set.
    fn take(&self, fetched: Result<Vec<VerifyingKey>, FetchError>, on_retired: &impl Fn()) -> bool {
        let now = Instant::now();
        let is_fetched = fetched.is_ok();
        let retired = {
            let mut set = self.set.lock();
            set.is_fetching = false;
            match fetched {
                Ok(keys) => {
                    if keys.is_empty() {
                        tracing::warn!(url = %self.url, "the key set has no key for RS256, ES256 or EdDSA");
                    }
                    set.replace(keys, now)
                }
                Err(error) => {
                    tracing::warn!(url = %self.url, %error, "cannot fetch the key set; the last one is used for a day");
                    set.expire(now)
                }
            }
        };
        if retired > 0 {
            tracing::info!(url = %self.url, keys = retired, "keys have left the key set; their tokens are invalid");
            on_retired();
        }
        self.ended.send_modify(|number| *number += 1);
        is_fetched
    }
}

fn client() -> Client {
    let connector = Connector::new().rustls_0_23(Arc::new(tls::client_config())).timeout(FETCHED_WITHIN);
    Client::builder().connector(connector).disable_redirects().disable_timeout().no_default_headers().finish()
}

async fn fetch(client: &Client, url: &Url) -> Result<Vec<VerifyingKey>, FetchError> {
    let request = client
        .get(url.as_str())
        .insert_header((USER_AGENT, concat!("Greenroom/", env!("CARGO_PKG_VERSION"))))
        .insert_header((ACCEPT, "application/jwk-set+json, application/json"))
        .force_close();
    let mut response = request.send().await.map_err(|error| FetchError::Connection(error.to_string()))?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let body = response.body().limit(LARGEST).await.map_err(|_| FetchError::Body)?;
    keys::of_set(&body).ok_or(FetchError::NoSet)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a set of Ed25519 keys with these ids.
    fn set(ids: &[&str]) -> Vec<VerifyingKey> {
        let key =
            |id: &&str| format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"{}"}}"#, "A".repeat(43));
        let keys: Vec<_> = ids.iter().map(key).collect();
        keys::of_set(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
    }

    fn live(keys: &[Arc<VerifyingKey>]) -> Vec<bool> {
        keys.iter().map(|key| key.life.is_live()).collect()
    }

    #[test]
    fn a_key_lives_as_long_as_it_is_in_the_set() {
        let (mut known, now) = (KeySet::default(), Instant::now());
        known.replace(set(&["a", "b"]), now);
        let first = known.keys.clone().unwrap();
        assert_eq!(known.replace(set(&["b", "c"]), now), 1);
        assert_eq!(live(&first), [false, true]);
        let second = known.keys.clone().unwrap();
        assert!(Arc::ptr_eq(&first[1], &second[0]));
        // A key that comes back is a new one: tokens of the old one stay invalid.
        assert_eq!(known.replace(set(&["a", "b", "c"]), now), 0);
        assert_eq!(live(&first), [false, true]);
    }

    #[test]
    fn while_its_host_is_away_a_set_is_used_for_a_day() {
        let (mut known, now) = (KeySet::default(), Instant::now());
        assert_eq!(known.expire(now + 2 * USED_FOR), 0);
        known.replace(set(&["a"]), now);
        let keys = known.keys.clone().unwrap();
        assert_eq!(known.expire(now + USED_FOR - Duration::from_secs(1)), 0);
        assert_eq!(live(&keys), [true]);
        assert_eq!(known.expire(now + USED_FOR), 1);
        assert_eq!((live(&keys), known.keys.is_none()), (vec![false], true));
    }

    #[test]
    fn fetches_are_half_a_minute_apart() {
        let (mut known, now) = (KeySet::default(), Instant::now());
        assert!(known.may_fetch(now));
        known.tried_at = Some(now);
        assert!(!known.may_fetch(now + MIN_INTERVAL - Duration::from_millis(1)));
        assert!(known.may_fetch(now + MIN_INTERVAL));
    }
}
