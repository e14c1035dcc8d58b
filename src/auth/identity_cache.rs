//! Cache from credentials to users. An entry is valid until its user changes or a credential of theirs is
//! revoked.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter, sync};

use crate::{
    bus::{Bus, BusMessage},
    core::{
        model::{Credential, Refusal, Timestamp, UserCard, UserId},
        sync::Mutex,
    },
    hub::Hub,
    storage::{
        AnyConn, ReadPool, StorageError,
        tables::{external_users, sessions, tokens, users},
    },
};

/// Authenticated user of a request or a socket.
#[derive(Debug, Clone)]
pub struct Caller {
    pub card: Arc<UserCard>,
    pub is_staff: bool,
    pub credential: Credential,
    /// When the session was last renewed; `None` for other credentials.
    pub renewed_at: Option<Timestamp>,
    /// When the credential expires.
    pub expires_at: Option<Timestamp>,
    /// When a use of the credential was last recorded, in microseconds since 1970.
    pub seen_at: Arc<AtomicI64>,
}

impl Caller {
    /// Returns the caller's id.
    pub fn id(&self) -> UserId {
        self.card.id
    }

    /// Whether the credential has not expired.
    fn is_in_time(&self) -> bool {
        self.expires_at.is_none_or(|end| Timestamp::now() < end)
    }
}

/// Cached identities are valid for this long after the last poll for revocations began. A process that was
/// stopped or starved for longer bypasses the cache until the next poll.
const TRUSTED_FOR: Duration = Duration::from_secs(4);

/// Maximum number of cached callers. Each shard of the cache has an equal part, rounded up.
const MAX_CACHED: usize = 100_000;

/// Cache of authenticated callers by credential.
pub struct IdentityCache {
    readers: ReadPool,
    hub: Arc<Hub>,
    bus: Arc<Bus>,
    callers: Callers,
    started: Instant,
    /// When the last poll for revocations began, in milliseconds since `started`.
    looked: AtomicU64,
}

impl IdentityCache {
    pub fn new(readers: ReadPool, hub: Arc<Hub>, bus: Arc<Bus>) -> Arc<Self> {
        Arc::new(Self {
            readers,
            hub,
            bus,
            callers: Callers::new(MAX_CACHED),
            started: Instant::now(),
            looked: AtomicU64::new(0),
        })
    }

    /// Notes that all revocations committed before `at` have been applied. Wakes all sockets if the cache was
    /// out of date.
    pub fn revocations_applied(&self, at: Instant) {
        let was_current = self.is_current();
        let millis = at.saturating_duration_since(self.started).as_millis() as u64;
        self.looked.fetch_max(millis, Ordering::AcqRel);
        if !was_current {
            self.hub.wake_all();
        }
    }

    /// Whether the last poll for revocations is recent enough to trust the cache.
    pub fn is_current(&self) -> bool {
        let looked = Duration::from_millis(self.looked.load(Ordering::Acquire));
        self.started.elapsed().saturating_sub(looked) < TRUSTED_FOR
    }

    /// Whether a credential is valid. If the cache is out of date, looks the credential up in storage.
    pub async fn is_valid(&self, credential: &Credential) -> Result<bool, Refusal> {
        if has_ended(credential) {
            return Ok(false);
        }
        Ok(self.is_current() || self.caller(credential).await?.is_some())
    }

    /// Returns the user of a credential, from the cache or from storage. `None`: the credential is invalid,
    /// expired or revoked.
    pub async fn caller(&self, credential: &Credential) -> Result<Option<Arc<Caller>>, Refusal> {
        // Storage cannot renew a token, so it is not asked: it may be away.
        if has_ended(credential) {
            return Ok(None);
        }
        let cached =
            self.callers.get(credential).filter(|caller| caller.is_in_time()).filter(|_| self.is_current());
        if cached.is_some() {
            return Ok(cached);
        }
        let before = self.callers.invalidations();
        let wanted = credential.clone();
        let caller = self.readers.query(move |conn| find(conn, wanted)).await?.map(Arc::new);
        if let Some(caller) = &caller {
            self.callers.insert(caller, before);
        }
        Ok(caller)
    }

    /// Closes the connections on this node whose JSON Web Token was verified by a key that has left its set.
    pub fn close_retired(&self) {
        self.hub.close_where(|credential| matches!(credential, Credential::Jwt(jwt) if !jwt.key.is_live()));
    }

    /// Invalidates the cached identities of a user and closes the sockets of their revoked credentials, on
    /// all nodes.
    pub async fn invalidate(&self, user: UserId) {
        self.bus.publish(BusMessage::Invalidate(user));
        self.invalidate_here(user).await;
    }

    /// Invalidates the cached identities of a user and closes the sockets of their revoked credentials, on
    /// this node only. Returns false if a credential could not be read from storage.
    pub async fn invalidate_here(&self, user: UserId) -> bool {
        self.callers.evict(user);
        let mut is_done = true;
        for credential in self.hub.credentials_of(user) {
            match self.caller(&credential).await {
                Ok(Some(_)) => {}
                Ok(None) => self.hub.close_opened_with(user, &credential),
                Err(_) => is_done = false,
            }
        }
        is_done
    }
}

/// Whether a JSON Web Token has ended, or its key has left its set.
fn has_ended(credential: &Credential) -> bool {
    credential.jwt().is_some_and(|jwt| !jwt.is_current(Timestamp::now()))
}

/// Cached callers. A lookup locks one shard of the cache. Changes also lock the index by user, which makes
/// invalidation independent of the size of the cache.
struct Callers {
    cache: sync::Cache<Credential, Arc<Caller>, UnitWeighter, DefaultHashBuilder, CollectEvicted>,
    index: Mutex<Index>,
}

/// Credentials of all cached callers, by user.
#[derive(Default)]
struct Index {
    of_user: HashMap<UserId, HashSet<Credential>>,
    /// Number of invalidations. A result that was read before one is not cached after it.
    invalidations: u64,
}

/// Collects the entries that an insertion evicted or replaced.
#[derive(Clone)]
struct CollectEvicted;

impl Lifecycle<Credential, Arc<Caller>> for CollectEvicted {
    type RequestState = Vec<Arc<Caller>>;

    fn on_evict(&self, evicted: &mut Vec<Arc<Caller>>, _: Credential, caller: Arc<Caller>) {
        evicted.push(caller);
    }
}

impl Callers {
    fn new(most: usize) -> Self {
        let hashing = DefaultHashBuilder::default();
        let cache = sync::Cache::with(most, most as u64, UnitWeighter, hashing, CollectEvicted);
        Self { cache, index: Mutex::default() }
    }

    fn get(&self, credential: &Credential) -> Option<Arc<Caller>> {
        self.cache.get(credential)
    }

    fn invalidations(&self) -> u64 {
        self.index.lock().invalidations
    }

    /// Caches a caller, unless there was an invalidation after the first `before` ones.
    fn insert(&self, caller: &Arc<Caller>, before: u64) {
        let mut index = self.index.lock();
        if index.invalidations != before {
            return;
        }
        let credential = &caller.credential;
        index.of_user.entry(caller.id()).or_default().insert(credential.clone());
        let mut evicted = Vec::new();
        self.cache.insert_with_lifecycle(credential.clone(), caller.clone(), &mut evicted);
        // The cache reports replaced entries too. These are still cached.
        for caller in evicted.iter().filter(|caller| !self.cache.contains_key(&caller.credential)) {
            index.remove(caller);
        }
    }

    fn evict(&self, user: UserId) {
        let mut index = self.index.lock();
        index.invalidations += 1;
        for credential in index.of_user.remove(&user).unwrap_or_default() {
            self.cache.remove(&credential);
        }
    }
}

impl Index {
    fn remove(&mut self, caller: &Caller) {
        if let Some(credentials) = self.of_user.get_mut(&caller.id()) {
            credentials.remove(&caller.credential);
            if credentials.is_empty() {
                self.of_user.remove(&caller.id());
            }
        }
    }
}

/// Reads the user of a credential. Returns `None` for an unknown credential and for an inactive user.
fn find(conn: &mut AnyConn, credential: Credential) -> Result<Option<Caller>, StorageError> {
    let (user, renewed_at, expires_at, seen_at) = match &credential {
        Credential::Session(hash) => match sessions::find(conn, hash)? {
            Some(found) => (found.user, Some(found.renewed_at), Some(found.ends_at), found.seen_at),
            None => return Ok(None),
        },
        Credential::Token(hash) => match tokens::find(conn, hash)? {
            Some(found) => (found.user, None, found.expires_at, found.seen_at),
            None => return Ok(None),
        },
        Credential::Jwt(jwt) => {
            let found = external_users::find(conn, &jwt.subject)?;
            let found = found.filter(|user| !user.has_revoked(jwt.issued_at));
            match found {
                Some(found) => (found.user_id, None, Some(jwt.ends_at), None),
                None => return Ok(None),
            }
        }
    };
    let user = users::find(conn, user)?.filter(|user| user.is_active);
    Ok(user.map(|user| Caller {
        card: Arc::new(user.card()),
        is_staff: user.is_staff,
        credential,
        renewed_at,
        expires_at,
        seen_at: Arc::new(AtomicI64::new(seen_at.map_or(0, |seen| seen.0))),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(user: i64, key: i64) -> Arc<Caller> {
        Arc::new(Caller {
            card: Arc::new(UserCard {
                id: UserId(user),
                username: String::new(),
                display_name: String::new(),
                avatar_url: None,
                is_guest: false,
            }),
            is_staff: false,
            credential: Credential::Token(key.to_string()),
            renewed_at: None,
            expires_at: None,
            seen_at: Arc::default(),
        })
    }

    /// Returns the credentials in the cache and those in the index, sorted.
    fn cached(callers: &Callers) -> [Vec<String>; 2] {
        let index = callers.index.lock();
        assert!(index.of_user.values().all(|credentials| !credentials.is_empty()));
        let name = |credential: &Credential| format!("{credential:?}");
        let mut both = [
            callers.cache.iter().map(|(credential, _)| name(&credential)).collect::<Vec<_>>(),
            index.of_user.values().flatten().map(name).collect(),
        ];
        both.iter_mut().for_each(|names| names.sort_unstable());
        both
    }

    #[test]
    fn a_user_is_forgotten_with_all_that_they_prove_themselves_with_and_nobody_else() {
        let callers = Callers::new(100);
        for (user, key) in [(1, 1), (1, 2), (2, 3), (1, 2)] {
            callers.insert(&caller(user, key), 0);
        }
        callers.evict(UserId(1));
        let left = vec![format!("{:?}", Credential::Token("3".to_owned()))];
        assert_eq!(cached(&callers), [left.clone(), left]);
        callers.insert(&caller(1, 2), 1);
        callers.evict(UserId(2));
        assert_eq!(callers.index.lock().of_user.len(), 1);
        assert!(callers.get(&Credential::Token("2".to_owned())).is_some());
    }

    #[test]
    fn what_was_read_before_an_invalidation_is_not_cached_after_it() {
        let callers = Callers::new(100);
        let before = callers.invalidations();
        callers.evict(UserId(2));
        callers.insert(&caller(1, 1), before);
        assert!(cached(&callers).iter().all(Vec::is_empty));
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        const MOST: usize = 1_000;
        let callers = Callers::new(MOST);
        for step in 0..50 * MOST as i64 {
            // New credentials, and ones that were inserted a short or a long time before.
            for key in [step, step - step % 7 * 10, step - step % 5 * 500] {
                callers.insert(&caller(key % 300, key), 0);
            }
            callers.get(&Credential::Token((step / 2).to_string()));
            if step % 1_000 == 0 {
                let [in_cache, in_index] = cached(&callers);
                assert_eq!(in_cache, in_index);
                assert!(in_cache.len() <= MOST + callers.cache.num_shards(), "{}", in_cache.len());
            }
        }
        assert!(callers.cache.len() > MOST / 2, "{}", callers.cache.len());
        (0..300).for_each(|user| callers.evict(UserId(user)));
        assert!(cached(&callers).iter().all(Vec::is_empty));
    }
}
