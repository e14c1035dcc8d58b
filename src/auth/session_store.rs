//! actix-session store on the database. The cookie holds a random key; the row is looked up by the key's
//! hash.

use std::{collections::HashMap, sync::Arc};

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;
use anyhow::anyhow;

use super::{
    IdentityCache,
    audit::{self, Who},
};
use crate::{
    core::{
        model::{Credential, Origin, Refusal, UserId},
        secrets,
    },
    storage::{WriterHandle, tables::sessions},
};

/// Key in a session's state: the id of its user, set at sign-in.
pub const USER: &str = "user";
/// Key in a session's state: the user's password hash at sign-in. It is compared with the stored one, and not
/// saved with the session.
pub const PASSWORD: &str = "password";
/// Key in a session's state: the client address at sign-in.
pub const ADDRESS: &str = "address";
/// Key in a session's state: the user agent at sign-in.
pub const USER_AGENT: &str = "user_agent";
/// Key in a session's state: the hash of the session's key. The store sets it on load, for authentication.
pub const KEY_HASH: &str = "key_hash";
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

type State = HashMap<String, String>;

impl Sessions {
    pub fn new(identities: Arc<IdentityCache>, writer: WriterHandle, most: u32) -> Self {
        Self { identities, writer, most }
    }
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let hash = secrets::hash(key.as_ref());
        let caller = self.identities.caller(&Credential::Session(hash.clone())).await;
        let caller = caller.map_err(|refusal| LoadError::Other(away(&refusal)))?;
        Ok(caller.map(|_| State::from([(KEY_HASH.to_owned(), json(&hash))])))
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let user = state.get(USER).and_then(|id| id.parse().ok()).map(UserId);
        let password = state.get(PASSWORD).and_then(|hash| serde_json::from_str::<String>(hash).ok());
        let (Some(user), Some(password)) = (user, password) else {
            return Err(SaveError::Other(anyhow!("only sign-in starts a session")));
        };
        let given = |name: &str| state.get(name).and_then(|text| serde_json::from_str(text).ok());
        let origin = Origin {
            address: given(ADDRESS).unwrap_or_default(),
            user_agent: given(USER_AGENT).unwrap_or_default(),
        };
        let key = secrets::draw();
        let hash = secrets::hash(&key);
        let (most, address) = (self.most, origin.address.clone());
        let save = move |conn: &mut _, _: &_| sessions::create(conn, &hash, user, &password, &origin, most);
        let started = self
            .writer
            .run("create_session", save)
            .await
            .map_err(|refusal| SaveError::Other(away(&refusal)))?;
        if started.ended > 0 {
            self.identities.invalidate(user).await;
            audit::note("a sign-in ended the least recently used session", Who::from(&started.user), address);
        }
        SessionKey::try_from(key).map_err(|error| SaveError::Other(error.into()))
    }

    async fn update(&self, key: SessionKey, _: State, _: &Duration) -> Result<SessionKey, UpdateError> {
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

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn away(refusal: &Refusal) -> anyhow::Error {
    anyhow!("session storage unavailable: {refusal:?}")
}
