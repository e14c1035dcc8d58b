//! JSON Web Tokens in compact form: their header and claims, and the rules for them (RFC 7515, RFC 7519, RFC 8725).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{keys::Algorithm, profile::ClaimedProfile, rules::ClaimRules};
use crate::core::model::{Timestamp, text, time::SECOND};

/// Difference between clocks that is tolerated, in seconds.
pub const LEEWAY_SECONDS: i64 = 30;

/// Maximum length of a token, in bytes. Headers of requests are limited to more.
const LONGEST: usize = 16 << 10;

/// Why a token is refused. Only the log says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("it is not a signed token in compact form")]
    Malformed,
    #[error("its algorithm is not accepted")]
    Algorithm,
    #[error("its header has a member that changes its meaning")]
    Header,
    #[error("no key has its kid")]
    UnknownKey,
    #[error("its signature does not fit")]
    Signature,
    #[error("its claim {0} is missing, malformed or not accepted")]
    Claim(&'static str),
}

/// A token whose form and header are accepted. Its signature and its claims are not checked yet.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    pub algorithm: Algorithm,
    pub key_id: Option<String>,
    message: &'a str,
    signature: Vec<u8>,
    payload: &'a str,
}

/// Members of a header that change what a token means, and that are not supported (RFC 7515, RFC 7516, RFC 7797).
const UNSUPPORTED_MEMBERS: [&str; 4] = ["crit", "b64", "enc", "zip"];

impl<'a> Unverified<'a> {
    /// Parses a token.
    pub(super) fn parse(token: &'a str) -> Result<Self, BadToken> {
        if token.len() > LONGEST {
            return Err(BadToken::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(BadToken::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(BadToken::Malformed)?;
        // A nested or an encrypted token has five parts.
        if payload.contains('.') {
            return Err(BadToken::Malformed);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| BadToken::Malformed);
        let header: Map<String, Value> =
            serde_json::from_slice(&decode(header)?).map_err(|_| BadToken::Malformed)?;
        let text =
            |name: &str| header.get(name).map(|value| value.as_str().ok_or(BadToken::Malformed)).transpose();
        let algorithm = text("alg")?.and_then(Algorithm::named).ok_or(BadToken::Algorithm)?;
        let is_nested = text("cty")?.is_some_and(|kind| kind.eq_ignore_ascii_case("JWT"));
        if is_nested || UNSUPPORTED_MEMBERS.iter().any(|member| header.contains_key(*member)) {
            return Err(BadToken::Header);
        }
        let key_id = text("kid")?.map(str::to_owned);
        Ok(Self { algorithm, key_id, message, signature: decode(signature)?, payload })
    }

    /// Returns the bytes that are signed, and their signature.
    pub(super) fn signed(&self) -> (&[u8], &[u8]) {
        (self.message.as_bytes(), &self.signature)
    }

    /// Checks the claims. The caller has to check the signature too.
    pub(super) fn claims(&self, rules: &ClaimRules, now: Timestamp) -> Result<Claims, BadToken> {
        let payload = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| BadToken::Malformed)?;
        let claims = serde_json::from_slice(&payload).map_err(|_| BadToken::Malformed)?;
        Claims::check(&claims, rules, now)
    }
}

/// The accepted claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: the id of the user at the issuer.
    pub subject: String,
    /// `iat`: when the token was issued.
    pub issued_at: Option<Timestamp>,
    /// When the token ends: `exp` and the leeway.
    pub ends_at: Timestamp,
    pub profile: ClaimedProfile,
}

impl Claims {
    fn check(claims: &Map<String, Value>, rules: &ClaimRules, now: Timestamp) -> Result<Self, BadToken> {
        let leeway = LEEWAY_SECONDS * SECOND;
        let expires_at = time(claims, "exp")?.ok_or(BadToken::Claim("exp"))?;
        let latest = now.plus(rules.max_seconds * SECOND + leeway);
        if expires_at.plus(leeway) <= now || expires_at > latest {
            return Err(BadToken::Claim("exp"));
        }
        if time(claims, "nbf")?.is_some_and(|at| at > now.plus(leeway)) {
            return Err(BadToken::Claim("nbf"));
        }
        let issued_at = time(claims, "iat")?;
        if issued_at.is_some_and(|at| at > now.plus(leeway)) {
            return Err(BadToken::Claim("iat"));
        }
        let is_one_of = |value: &Value, accepted: &[String]| accepted.iter().any(|one| value == one.as_str());
        let issuer = claims.get("iss").unwrap_or(&Value::Null);
        if !rules.issuers.is_empty() && !is_one_of(issuer, &rules.issuers) {
            return Err(BadToken::Claim("iss"));
        }
        let is_for_us = match claims.get("aud").unwrap_or(&Value::Null) {
            Value::Array(audiences) => audiences.iter().any(|one| is_one_of(one, &rules.audiences)),
            audience => is_one_of(audience, &rules.audiences),
        };
        if !rules.audiences.is_empty() && !is_for_us {
            return Err(BadToken::Claim("aud"));
        }
        let subject = claims.get("sub").and_then(Value::as_str).ok_or(BadToken::Claim("sub"))?;
        let subject = text::external_id(subject).map_err(|_| BadToken::Claim("sub"))?;
        Ok(Self {
            subject,
            issued_at,
            ends_at: expires_at.plus(leeway),
            profile: ClaimedProfile::of(claims, rules),
        })
    }
}

/// Latest time that a claim may have, in seconds since 1970: the end of the year 9999.
const LATEST: f64 = 253_402_300_799.0;

/// Reads a NumericDate (RFC 7519, section 2), which may have fractions of a second.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, BadToken> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            let seconds = value.as_f64().filter(|seconds| (0.0..=LATEST).contains(seconds));
            let seconds = seconds.ok_or(BadToken::Claim(name))?;
            Ok(Some(Timestamp((seconds * SECOND as f64) as i64)))
        }
    }
}
