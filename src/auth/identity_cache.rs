//! Cache from credentials to users. An entry is valid until its user changes or a credential of theirs is
//! revoked.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    bus::{Bus, BusMessage},
    core::model::{Credential, Refusal, Timestamp, UserCard, UserId},
    hub::Hub,
    storage::{
        AnyConn, ReadPool, StorageError,
        tables::{sessions, tokens, users},
    },
};

/// Authenticated user of a request or a socket.
#[derive(Debug, Clone)]
pub struct Caller {
    pub card: Arc<UserCard>,
    pub is_staff: bool,
    pub credential: Credential,
    /// When the session was last renewed; `None` for tokens.
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
}

/// Cached identities are valid for this long after the last poll for revocations began. A process that was
/// stopped or starved for longer bypasses the cache until the next poll.
const TRUSTED_FOR: Duration = Duration::from_secs(4);

/// Maximum number of cached callers. At this size the cache is cleared.
const MAX_CACHED: usize = 100_000;

/// Cache of authenticated callers by credential.
pub struct IdentityCache {
    readers: ReadPool,
    hub: Arc<Hub>,
    bus: Arc<Bus>,
    known: Mutex<Known>,
    /// Incremented by each invalidation, so that a result read before it is not cached after it.
    changes: AtomicU64,
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
            known: Mutex::default(),
            changes: AtomicU64::new(0),
            started: Instant::now(),
            looked: AtomicU64::new(0),
        })
    }

    /// Notes that all revocations committed before `at` have been applied. Wakes all sockets if the cache was
    /// out of date.
    pub fn looked(&self, at: Instant) {
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
    pub async fn still_works(&self, credential: &Credential) -> Result<bool, Refusal> {
        Ok(self.is_current() || self.caller(credential).await?.is_some())
    }

    /// Returns the user of a credential, from the cache or from storage. `None`: the credential is invalid,
    /// expired or revoked.
    pub async fn caller(&self, credential: &Credential) -> Result<Option<Arc<Caller>>, Refusal> {
        let known = self.lock().callers.get(credential).cloned();
        let in_time = |caller: &Arc<Caller>| caller.expires_at.is_none_or(|end| Timestamp::now() < end);
        if let Some(caller) = known.filter(in_time).filter(|_| self.is_current()) {
            return Ok(Some(caller));
        }
        let before = self.changes.load(Ordering::Acquire);
        let wanted = credential.clone();
        let caller = self.readers.query(move |conn| find(conn, wanted)).await?.map(Arc::new);
        if let Some(caller) = &caller {
            let mut known = self.lock();
            if before == self.changes.load(Ordering::Acquire) {
                known.insert(caller);
            }
        }
        Ok(caller)
    }

    /// Invalidates the cached identities of a user and closes the sockets of their revoked credentials, on
    /// all nodes.
    pub async fn invalidate(&self, user: UserId) {
        self.bus.publish(BusMessage::Invalidate(user));
        self.recheck_here(user).await;
    }

    /// Invalidates the cached identities of a user and closes the sockets of their revoked credentials, on
    /// this node only. Returns false if a credential could not be read from storage.
    pub async fn recheck_here(&self, user: UserId) -> bool {
        self.evict(user);
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

    fn evict(&self, user: UserId) {
        let mut known = self.lock();
        self.changes.fetch_add(1, Ordering::Release);
        known.evict(user);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cached callers. An index by user makes invalidation independent of the size of the cache: every request
/// takes this lock.
#[derive(Default)]
struct Known {
    callers: HashMap<Credential, Arc<Caller>>,
    of_user: HashMap<UserId, Vec<Credential>>,
}

impl Known {
    fn insert(&mut self, caller: &Arc<Caller>) {
        if self.callers.len() >= MAX_CACHED {
            *self = Self::default();
        }
        let credential = &caller.credential;
        if self.callers.insert(credential.clone(), caller.clone()).is_none() {
            self.of_user.entry(caller.id()).or_default().push(credential.clone());
        }
    }

    fn evict(&mut self, user: UserId) {
        for credential in self.of_user.remove(&user).unwrap_or_default() {
            self.callers.remove(&credential);
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
            }),
            is_staff: false,
            credential: Credential::Token(key.to_string()),
            renewed_at: None,
            expires_at: None,
            seen_at: Arc::default(),
        })
    }

    #[test]
    fn a_user_is_forgotten_with_all_that_they_prove_themselves_with_and_nobody_else() {
        let mut known = Known::default();
        for (user, key) in [(1, 1), (1, 2), (2, 3), (1, 2)] {
            known.insert(&caller(user, key));
        }
        known.evict(UserId(1));
        let left: Vec<_> = known.callers.keys().collect();
        assert_eq!(left, [&Credential::Token("3".to_owned())]);
        known.insert(&caller(1, 2));
        known.evict(UserId(2));
        assert_eq!((known.callers.len(), known.of_user.len()), (1, 1));
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut known = Known::default();
        for user in 0..=MAX_CACHED as i64 {
            known.insert(&caller(user, user));
        }
        assert_eq!((known.callers.len(), known.of_user.len()), (1, 1));
    }
}
