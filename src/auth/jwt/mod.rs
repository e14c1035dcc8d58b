//! JSON Web Tokens of an identity provider: verification, and the cache of verified ones.

mod keys;
mod profile;
mod remote_keys;
mod rules;
mod token;

use std::{fs, sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    config::JwtSettings,
    core::{
        model::{Timestamp, VerifiedJwt},
        secrets,
    },
};
use keys::{Algorithm, VerifyingKey};
pub use profile::ClaimedProfile;
pub use remote_keys::RemoteKeys;
pub use rules::ClaimRules;
use token::Unverified;
pub use token::{BadToken, Claims, LEEWAY_SECONDS};

/// Number of verified tokens that are remembered.
const MAX_REMEMBERED: usize = 100_000;

/// Verifies JSON Web Tokens.
pub struct JwtVerifier {
    rules: ClaimRules,
    /// Keys of the settings.
    fixed: Vec<Arc<VerifyingKey>>,
    /// The key set of an identity provider.
    remote: Option<Arc<RemoteKeys>>,
    /// Verified tokens, by their SHA-256. Whether their user is revoked is not remembered:
    /// [`IdentityCache`](super::IdentityCache) knows it.
    remembered: Cache<String, Arc<VerifiedJwt>>,
    first_uses: Semaphore,
}

/// Number of tokens whose users are looked up or created at the same time. Thousands of users may come at once, after a
/// restart for example. The others wait.
const MAX_FIRST_USES: usize = 64;

/// Timeout of waiting for them. It passes only if storage is slow or away.
const FIRST_USE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a token was not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtError {
    Bad(BadToken),
    /// The key set could not be fetched yet, so the token may be a good one.
    NoKeys,
}

impl From<BadToken> for JwtError {
    fn from(why: BadToken) -> Self {
        Self::Bad(why)
    }
}

impl JwtVerifier {
    /// Reads the keys of the settings. `None`: JSON Web Tokens are off.
    pub fn open(settings: &JwtSettings) -> Result<Option<Self>, String> {
        if !settings.is_on() {
            return match settings.jwt_issuer.is_empty() && settings.jwt_audience.is_empty() {
                true => Ok(None),
                false => Err(
                    "--jwt-issuer and --jwt-audience need keys: give --jwks-url, --jwt-keys or --jwt-secret"
                        .to_owned(),
                ),
            };
        }
        if settings.jwks_url.is_some() && settings.jwt_issuer.is_empty() {
            return Err(
                "--jwks-url needs --jwt-issuer: other issuers may sign with keys of the same set".to_owned()
            );
        }
        let mut fixed = Vec::new();
        if let Some(secret) = &settings.jwt_secret {
            fixed.extend(VerifyingKey::secret(secret).map(Arc::new));
        }
        if let Some(path) = &settings.jwt_keys {
            let name = path.display();
            let pem = fs::read(path).map_err(|error| format!("cannot read --jwt-keys {name}: {error}"))?;
            let keys = keys::of_pem(&pem).map_err(|why| format!("cannot use --jwt-keys {name}: {why}"))?;
            fixed.extend(keys.into_iter().map(Arc::new));
        }
        let rules = ClaimRules {
            issuers: settings.jwt_issuer.clone(),
            audiences: settings.jwt_audience.clone(),
            max_seconds: settings.jwt_max_seconds,
            staff: settings.jwt_staff_claim.clone(),
            username: settings.jwt_username_claim.clone(),
        };
        let remote = settings.jwks_url.clone().map(|url| Arc::new(RemoteKeys::new(url)));
        let (remembered, first_uses) = (Cache::new(MAX_REMEMBERED), Semaphore::new(MAX_FIRST_USES));
        Ok(Some(Self { rules, fixed, remote, remembered, first_uses }))
    }

    /// Returns the key set, which a background task has to fetch.
    pub fn remote(&self) -> Option<Arc<RemoteKeys>> {
        self.remote.clone()
    }

    /// Returns a verified token that was remembered, unless it has ended or its key is gone.
    pub fn remembered(&self, hash: &str) -> Option<Arc<VerifiedJwt>> {
        let known = self.remembered.get(hash)?;
        if known.is_current(Timestamp::now()) {
            return Some(known);
        }
        self.remembered.remove(hash);
        None
    }

    /// Runs the first use of a token, which looks its user up or creates them. `None`: too many others wait.
    pub async fn first_use<F: Future>(&self, work: F) -> Option<F::Output> {
        let _permit = timeout(FIRST_USE_TIMEOUT, self.first_uses.acquire()).await.ok()?;
        Some(work.await)
    }

    /// Remembers a verified token whose user exists.
    pub fn remember(&self, jwt: Arc<VerifiedJwt>) {
        self.remembered.insert(jwt.hash.clone(), jwt);
    }

    /// Verifies a token. Waits for the key set if the token names an unknown key.
    pub async fn verify(&self, token: &str) -> Result<(Claims, VerifiedJwt), JwtError> {
        let unverified = Unverified::parse(token)?;
        let now = Timestamp::now();
        // Before the signature: tokens with bad claims cause no fetch.
        let claims = unverified.claims(&self.rules, now)?;
        let key = self.key_of(&unverified).await?;
        let jwt = VerifiedJwt {
            hash: secrets::hash(token),
            subject: claims.subject.clone(),
            issued_at: claims.issued_at,
            first_seen: now,
            ends_at: claims.ends_at,
            key: key.life.clone(),
        };
        Ok((claims, jwt))
    }

    /// Finds the key that made a token's signature.
    async fn key_of(&self, token: &Unverified<'_>) -> Result<Arc<VerifyingKey>, JwtError> {
        if let Some(key) = find(&self.fixed, token) {
            return Ok(key);
        }
        // A key set has public keys only.
        let Some(remote) = self.remote.as_ref().filter(|_| token.algorithm != Algorithm::Hs256) else {
            return Err(BadToken::Signature.into());
        };
        let knows = |keys: &[Arc<VerifyingKey>]| {
            token.key_id.is_none() || keys.iter().any(|key| key.id == token.key_id)
        };
        let mut keys = remote.keys();
        if !keys.as_ref().is_some_and(|keys| knows(keys)) {
            remote.fetch_now().await;
            keys = remote.keys();
        }
        let keys = keys.ok_or(JwtError::NoKeys)?;
        if let Some(key) = find(&keys, token) {
            return Ok(key);
        }
        Err(if knows(&keys) { BadToken::Signature } else { BadToken::UnknownKey }.into())
    }
}

/// Finds the key that made a token's signature, among those of its algorithm. A token that names a key may also be
/// verified by a key without an id, such as one of a PEM file.
fn find(keys: &[Arc<VerifyingKey>], token: &Unverified<'_>) -> Option<Arc<VerifyingKey>> {
    let (message, signature) = token.signed();
    let is_candidate = |key: &&Arc<VerifyingKey>| {
        let may_be_it = key.id.is_none() || token.key_id.is_none() || key.id == token.key_id;
        key.algorithm() == token.algorithm && may_be_it
    };
    keys.iter().filter(is_candidate).find(|key| key.verifies(message, signature)).cloned()
}
