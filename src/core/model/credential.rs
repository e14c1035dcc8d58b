//! Credentials that users sign in with.

use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::time::{MINUTE, SECOND, Timestamp};

/// The client from which a credential was used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The client's address; empty where it is unknown.
    pub address: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
}

/// The credential of an authenticated request. It contains hashes, not the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A browser session.
    Session(String),
    /// A program's access token.
    Token(String),
    /// A JSON Web Token of an identity provider.
    Jwt(Arc<VerifiedJwt>),
}

/// A JSON Web Token whose signature and claims were verified. Equal if the tokens are.
#[derive(Debug)]
pub struct VerifiedJwt {
    /// SHA-256 of the token.
    pub hash: String,
    /// `sub`: the id of the user at the issuer.
    pub subject: String,
    /// `iat`: when the token was issued.
    pub issued_at: Option<Timestamp>,
    /// When this server first verified the token.
    pub first_seen: Timestamp,
    /// When the token ends.
    pub ends_at: Timestamp,
    pub key: KeyLife,
}

/// How long before the end of a token its connections are warned, in microseconds, if the token lives long enough.
const WARNED_BEFORE: i64 = MINUTE;

/// Part of a short token's life that is left at the warning.
const WARNED_AT_LAST: i64 = 4;

impl VerifiedJwt {
    /// Returns when connections of this token are warned of its end: a minute before, or with a quarter of its life
    /// left if that is less.
    pub fn warned_at(&self) -> Timestamp {
        let life = self.ends_at.0 - self.issued_at.unwrap_or(self.first_seen).0;
        self.ends_at.plus(-WARNED_BEFORE.min(life / WARNED_AT_LAST))
    }

    /// Returns the seconds until the token ends, rounded down.
    pub fn seconds_left(&self, now: Timestamp) -> i64 {
        ((self.ends_at.0 - now.0) / SECOND).max(0)
    }

    /// Whether the token has not ended, and its key is still in its set.
    pub fn is_current(&self, now: Timestamp) -> bool {
        now < self.ends_at && self.key.is_live()
    }
}

impl PartialEq for VerifiedJwt {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for VerifiedJwt {}

impl Hash for VerifiedJwt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// Whether the key that verified a token is still in its set. Shared by all tokens of the key.
#[derive(Debug, Clone)]
pub struct KeyLife(Arc<AtomicBool>);

impl Default for KeyLife {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl KeyLife {
    pub fn is_live(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Marks the key as gone. All tokens that it verified are invalid from then on.
    pub fn retire(&self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Credential {
    /// Returns the token, if this is a JSON Web Token.
    pub fn jwt(&self) -> Option<&Arc<VerifiedJwt>> {
        match self {
            Self::Jwt(jwt) => Some(jwt),
            Self::Session(_) | Self::Token(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_comes_a_minute_before_the_end_or_with_a_quarter_of_the_life_left() {
        let warned = |issued: Option<i64>, first_seen: i64, ends: i64| {
            let jwt = VerifiedJwt {
                hash: String::new(),
                subject: String::new(),
                issued_at: issued.map(|at| Timestamp(at * SECOND)),
                first_seen: Timestamp(first_seen * SECOND),
                ends_at: Timestamp(ends * SECOND),
                key: KeyLife::default(),
            };
            jwt.warned_at().0 / SECOND
        };
        assert_eq!(warned(Some(0), 500, 3_600), 3_540);
        assert_eq!(warned(Some(0), 10, 40), 30);
        assert_eq!(warned(None, 20, 100), 80);
    }
}
