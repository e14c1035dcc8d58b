//! From a credential to a user, remembered between requests until something of the user's changes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    bus::{Bus, News},
    core::model::{Credential, Refusal, Timestamp, UserCard, UserId},
    hub::UserRegistry,
    storage::{
        AnyConn, Readers, StorageError,
        tables::{sessions, tokens, users},
    },
};

/// Who is asking.
#[derive(Debug, Clone)]
pub struct Caller {
    pub card: Arc<UserCard>,
    pub is_staff: bool,
    pub credential: Credential,
    /// When the session was last renewed.
    pub renewed_at: Option<Timestamp>,
    /// When the credential ends by itself, if nothing changes.
    pub expires_at: Option<Timestamp>,
    /// When the credential was last noted in use, in microseconds since 1970.
    pub seen_at: Arc<AtomicI64>,
}

impl Caller {
    /// The caller's id.
    pub fn id(&self) -> UserId {
        self.card.id
    }
}

/// What is remembered of callers counts for so long after the last look at which credentials have ended. A process that
/// was stopped or starved for longer must look before it believes it.
const BELIEVED_FOR: Duration = Duration::from_secs(4);

/// Most callers remembered.
const REMEMBERED: usize = 100_000;

/// The callers of late.
pub struct Identities {
    readers: Readers,
    registry: Arc<UserRegistry>,
    bus: Arc<Bus>,
    known: Mutex<Known>,
    /// Rises with each change, so that what was being read meanwhile is not remembered.
    changes: AtomicU64,
    started: Instant,
    /// When the last look at ended credentials began, in milliseconds since the start.
    looked: AtomicU64,
}

impl Identities {
    pub fn new(readers: Readers, registry: Arc<UserRegistry>, bus: Arc<Bus>) -> Arc<Self> {
        Arc::new(Self {
            readers,
            registry,
            bus,
            known: Mutex::default(),
            changes: AtomicU64::new(0),
            started: Instant::now(),
            looked: AtomicU64::new(0),
        })
    }

    /// Notes that all credentials that had ended at a moment are known to have.
    pub fn looked(&self, at: Instant) {
        let was_current = self.is_current();
        let millis = at.saturating_duration_since(self.started).as_millis() as u64;
        self.looked.fetch_max(millis, Ordering::AcqRel);
        if !was_current {
            self.registry.wake_all();
        }
    }

    /// Whether the last look is recent enough to believe what is remembered.
    pub fn is_current(&self) -> bool {
        let looked = Duration::from_millis(self.looked.load(Ordering::Acquire));
        self.started.elapsed().saturating_sub(looked) < BELIEVED_FOR
    }

    /// Whether a credential works. After a pause it is looked up anew.
    pub async fn still_works(&self, credential: &Credential) -> Result<bool, Refusal> {
        Ok(self.is_current() || self.caller(credential).await?.is_some())
    }

    /// Whose credential this is; `None` if it does not work (any more).
    pub async fn caller(&self, credential: &Credential) -> Result<Option<Arc<Caller>>, Refusal> {
        let known = self.lock().callers.get(credential).cloned();
        let in_time = |caller: &Arc<Caller>| caller.expires_at.is_none_or(|end| Timestamp::now() < end);
        if let Some(caller) = known.filter(in_time).filter(|_| self.is_current()) {
            return Ok(Some(caller));
        }
        let before = self.changes.load(Ordering::Acquire);
        let wanted = credential.clone();
        let caller = self.readers.ask(move |conn| find(conn, wanted)).await?.map(Arc::new);
        if let Some(caller) = &caller {
            let mut known = self.lock();
            if before == self.changes.load(Ordering::Acquire) {
                known.keep(caller);
            }
        }
        Ok(caller)
    }

    /// Something of a user's has changed: forgets what was known, and ends the sockets whose credential has ended, on
    /// all nodes.
    pub async fn recheck(&self, user: UserId) {
        self.bus.publish(News::Recheck(user));
        self.recheck_here(user).await;
    }

    /// The same on this node. Returns whether all could be looked at.
    pub async fn recheck_here(&self, user: UserId) -> bool {
        self.forget(user);
        let mut is_done = true;
        for credential in self.registry.credentials_of(user) {
            match self.caller(&credential).await {
                Ok(Some(_)) => {}
                Ok(None) => self.registry.close_opened_with(user, &credential),
                Err(_) => is_done = false,
            }
        }
        is_done
    }

    fn forget(&self, user: UserId) {
        let mut known = self.lock();
        self.changes.fetch_add(1, Ordering::Release);
        known.forget(user);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Callers that are remembered. One user's are found without a look at the others: every request waits for this.
#[derive(Default)]
struct Known {
    callers: HashMap<Credential, Arc<Caller>>,
    of_user: HashMap<UserId, Vec<Credential>>,
}

impl Known {
    fn keep(&mut self, caller: &Arc<Caller>) {
        if self.callers.len() >= REMEMBERED {
            *self = Self::default();
        }
        let credential = &caller.credential;
        if self.callers.insert(credential.clone(), caller.clone()).is_none() {
            self.of_user.entry(caller.id()).or_default().push(credential.clone());
        }
    }

    fn forget(&mut self, user: UserId) {
        for credential in self.of_user.remove(&user).unwrap_or_default() {
            self.callers.remove(&credential);
        }
    }
}

/// Who a credential belongs to; an inactive user has none.
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
            known.keep(&caller(user, key));
        }
        known.forget(UserId(1));
        let left: Vec<_> = known.callers.keys().collect();
        assert_eq!(left, [&Credential::Token("3".to_owned())]);
        known.keep(&caller(1, 2));
        known.forget(UserId(2));
        assert_eq!((known.callers.len(), known.of_user.len()), (1, 1));
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut known = Known::default();
        for user in 0..=REMEMBERED as i64 {
            known.keep(&caller(user, user));
        }
        assert_eq!((known.callers.len(), known.of_user.len()), (1, 1));
    }
}
