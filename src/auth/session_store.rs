//! actix-session's store on our database: the cookie holds a random key, its row is found by the key's hash.

use std::{collections::HashMap, sync::Arc};

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;
use anyhow::anyhow;

use super::{
    Identities,
    audit::{self, Who},
};
use crate::{
    core::{
        model::{Credential, Origin, Refusal, UserId},
        secrets,
    },
    storage::{WriterHandle, tables::sessions},
};

/// In a session's state: whose it is, given at sign-in.
pub const USER: &str = "user";
/// In a session's state: the hash of the password that was given at sign-in. It is compared and not stored.
pub const PASSWORD: &str = "password";
/// In a session's state: from where somebody signs in.
pub const ADDRESS: &str = "address";
pub const USER_AGENT: &str = "user_agent";
/// In a session's state: the hash of its key, given by the store to those who ask what they may do with it.
pub const KEY_HASH: &str = "key_hash";
/// In a session's state: changed once a day, so that the cookie is given for a full time again.
pub const RENEWED: &str = "renewed";

/// The sessions of browsers.
#[derive(Clone)]
pub struct Sessions {
    identities: Arc<Identities>,
    writer: WriterHandle,
    /// So many a user may have.
    most: u32,
}

type State = HashMap<String, String>;

impl Sessions {
    pub fn new(identities: Arc<Identities>, writer: WriterHandle, most: u32) -> Self {
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
            self.identities.recheck(user).await;
            audit::note("a sign-in ended the session unused for longest", Who::from(&started.user), address);
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
            self.identities.recheck(user).await;
        }
        Ok(())
    }
}

impl Sessions {
    async fn renew(&self, key: &SessionKey) -> Result<(), Refusal> {
        let hash = secrets::hash(key.as_ref());
        let owner = self.writer.run("renew_session", move |conn, _| sessions::renew(conn, &hash)).await?;
        if let Some(owner) = owner {
            self.identities.recheck(owner).await;
        }
        Ok(())
    }
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn away(refusal: &Refusal) -> anyhow::Error {
    anyhow!("sessions are not to be had: {refusal:?}")
}
