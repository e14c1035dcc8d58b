//! actix-session store on the database. The cookie holds a random key; the row is looked up by the key's
//! hash.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use actix_session::{
    Session,
    storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError},
};
use actix_web::cookie::time::Duration;
use anyhow::anyhow;

use super::{
    IdentityCache,
    audit::{self, AuditUser},
};
use crate::{
    core::{
        model::{Credential, Origin, Refusal, UserId},
        secrets,
    },
    storage::{WriterHandle, tables::sessions},
};

/// Key in a session's state: the id of its user, set at sign-in. actix-session saves no new session without
/// any state.
const USER: &str = "user";
/// Key in a session's state: changed once a day, so that actix-session sends the cookie with its full
/// lifetime.
pub const RENEWED: &str = "renewed";

/// Store of browser sessions.
#[derive(Clone)]
pub struct Sessions {
    identities: Arc<IdentityCache>,
    writer: WriterHandle,
    /// Maximum number of sessions per user.
    most: u32,
}

/// A session that a sign-in starts.
pub struct NewSession {
    pub user: UserId,
    /// The user's password hash that was verified. The session starts only if it is still the stored one.
    pub password_hash: String,
    pub origin: Origin,
}

tokio::task_local! {
    /// The session that the current request starts. actix-session passes the store neither the request nor
    /// anything but strings, and a password hash does not belong among these.
    static STARTING: RefCell<Option<NewSession>>;
}

type CookieState = HashMap<String, String>;

impl Sessions {
    pub fn new(identities: Arc<IdentityCache>, writer: WriterHandle, most: u32) -> Self {
        Self { identities, writer, most }
    }

    /// Handles a request, in which a sign-in may [`start`](Self::start) a session.
    pub async fn scope<F: Future>(request: F) -> F::Output {
        STARTING.scope(RefCell::default(), request).await
    }

    /// Starts a session in place of the request's own one. It is stored, and gets its key, after the handler
    /// has returned.
    pub fn start(session: &Session, new: NewSession) -> Result<(), Refusal> {
        session.renew();
        session.insert(USER, new.user).map_err(|_| Refusal::Internal)?;
        STARTING.try_with(|starting| starting.replace(Some(new))).map_err(|_| Refusal::Internal)?;
        Ok(())
    }
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<CookieState>, LoadError> {
        let hash = secrets::hash(key.as_ref());
        let caller = self.identities.caller(&Credential::Session(hash)).await;
        let caller = caller.map_err(|refusal| LoadError::Other(away(&refusal)))?;
        Ok(caller.map(|_| CookieState::default()))
    }

    async fn save(&self, _: CookieState, _: &Duration) -> Result<SessionKey, SaveError> {
        let Ok(Some(NewSession { user, password_hash, origin })) = STARTING.try_with(RefCell::take) else {
            return Err(SaveError::Other(anyhow!("only sign-in starts a session")));
        };
        let key = secrets::draw();
        let hash = secrets::hash(&key);
        let (most, address) = (self.most, origin.address.clone());
        let save =
            move |conn: &mut _, _: &_| sessions::create(conn, &hash, user, &password_hash, &origin, most);
        let started = self
            .writer
            .run("create_session", save)
            .await
            .map_err(|refusal| SaveError::Other(away(&refusal)))?;
        if started.ended > 0 {
            self.identities.invalidate(user).await;
            audit::note(
                "a sign-in ended the least recently used session",
                AuditUser::from(&started.user),
                address,
            );
        }
        SessionKey::try_from(key).map_err(|error| SaveError::Other(error.into()))
    }

    async fn update(&self, key: SessionKey, _: CookieState, _: &Duration) -> Result<SessionKey, UpdateError> {
        self.renew(&key).await.map_err(|refusal| UpdateError::Other(away(&refusal)))?;
        Ok(key)
    }

    async fn update_ttl(&self, key: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        self.renew(key).await.map_err(|refusal| away(&refusal))
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        let hash = secrets::hash(key.as_ref());
        let ended = self.writer.run("end_session", move |conn, _| sessions::end(conn, &hash)).await;
        if let Some(user) = ended.map_err(|refusal| away(&refusal))? {
            self.identities.invalidate(user).await;
        }
        Ok(())
    }
}

impl Sessions {
    async fn renew(&self, key: &SessionKey) -> Result<(), Refusal> {
        let hash = secrets::hash(key.as_ref());
        let owner = self.writer.run("renew_session", move |conn, _| sessions::renew(conn, &hash)).await?;
        if let Some(owner) = owner {
            self.identities.invalidate(owner).await;
        }
        Ok(())
    }
}

fn away(refusal: &Refusal) -> anyhow::Error {
    anyhow!("session storage unavailable: {refusal:?}")
}
