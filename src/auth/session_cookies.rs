//! Session cookies: their name, the key that signs them, and the signatures that were verified lately.

use actix_web::cookie::{Cookie, CookieJar, Key};
use quick_cache::sync::Cache;

use crate::core::{model::Credential, secrets};

/// Number of cookies whose signature is remembered.
const MAX_VERIFIED: usize = 4_096;

/// Verifies session cookies.
pub struct SessionCookies {
    name: String,
    key: Key,
    /// Sessions by the value of their cookie. Only valid signatures are remembered. Whether a session still
    /// exists is not: [`IdentityCache`](super::IdentityCache) knows it.
    verified: Cache<String, Credential>,
}

impl SessionCookies {
    pub fn new(name: String, key: Key) -> Self {
        Self { name, key, verified: Cache::new(MAX_VERIFIED) }
    }

    /// Returns the name of the cookie.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key that signs the cookie.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns the session of a cookie's value. `None`: the signature is invalid.
    pub fn session(&self, value: &str) -> Option<Credential> {
        if let Some(session) = self.verified.get(value) {
            return Some(session);
        }
        let mut jar = CookieJar::new();
        jar.add_original(Cookie::parse_encoded(format!("{}={value}", self.name)).ok()?);
        let signed = jar.signed(&self.key).get(&self.name)?;
        let session = Credential::Session(secrets::hash(signed.value()));
        self.verified.insert(value.to_owned(), session.clone());
        Some(session)
    }
}
