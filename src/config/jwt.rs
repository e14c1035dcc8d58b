//! Settings of JSON Web Tokens.

use std::path::PathBuf;

use clap::Args;
use url::Url;

/// Which JSON Web Tokens are accepted, and what their claims mean. Without a source of keys, none is.
#[derive(Debug, Clone, Args)]
pub struct JwtSettings {
    /// Secret that signs JSON Web Tokens with HS256, at least 32 bytes
    #[arg(long, env = "GREENROOM_JWT_SECRET", hide_env_values = true, value_parser = secret)]
    pub jwt_secret: Option<String>,

    /// PEM file with public keys that verify JSON Web Tokens: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA)
    #[arg(long, env = "GREENROOM_JWT_KEYS", value_name = "FILE")]
    pub jwt_keys: Option<PathBuf>,

    /// Address of the key set (JWKS) of an identity provider: https://login.example.com/.well-known/jwks.json
    #[arg(long, env = "GREENROOM_JWKS_URL", value_parser = key_set)]
    pub jwks_url: Option<Url>,

    /// Accepted issuers (iss) of JSON Web Tokens, comma-separated; required with a key set
    #[arg(long, env = "GREENROOM_JWT_ISSUER", value_delimiter = ',', value_parser = entry)]
    pub jwt_issuer: Vec<String>,

    /// Accepted audiences (aud) of JSON Web Tokens, comma-separated; by default aud is not looked at
    #[arg(long, env = "GREENROOM_JWT_AUDIENCE", value_delimiter = ',', value_parser = entry)]
    pub jwt_audience: Vec<String>,

    /// Seconds from now by which a JSON Web Token must have expired
    #[arg(long, env = "GREENROOM_JWT_MAX_SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(i64).range(1..=315_360_000))]
    pub jwt_max_seconds: i64,

    /// Claim and value that make a user staff: role=admin; by default tokens do not decide this
    #[arg(long, env = "GREENROOM_JWT_STAFF_CLAIM", value_parser = claim_and_value)]
    pub jwt_staff_claim: Option<(String, String)>,

    /// Claim with the username of a new user
    #[arg(long, env = "GREENROOM_JWT_USERNAME_CLAIM", default_value = "preferred_username", value_parser = entry)]
    pub jwt_username_claim: String,
}

impl JwtSettings {
    /// Whether there is a source of keys.
    pub fn is_on(&self) -> bool {
        self.jwt_secret.is_some() || self.jwt_keys.is_some() || self.jwks_url.is_some()
    }
}

/// Validates the secret of HS256. RFC 7518, section 3.2, wants at least the size of the hash.
fn secret(text: &str) -> Result<String, String> {
    if text.len() < 32 { Err("give at least 32 bytes".to_owned()) } else { Ok(text.to_owned()) }
}

fn key_set(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).ok().filter(|url| url.scheme() == "https" && url.has_host());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.ok_or_else(|| {
        "give an address such as https://login.example.com/.well-known/jwks.json, without a password"
            .to_owned()
    })
}

fn entry(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("give no empty entry".to_owned()) } else { Ok(text.to_owned()) }
}

fn claim_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((claim, value)) if !claim.trim().is_empty() && !value.trim().is_empty() => {
            Ok((claim.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("give a claim and its value, such as role=admin".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_sets_are_fetched_over_https_only() {
        assert!(key_set("https://login.example.com:8443/keys?v=2").is_ok());
        for bad in
            ["http://login.example.com/keys", "https://", "https://a:b@login.example.com/", "keys.json"]
        {
            assert!(key_set(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_staff_claim_has_a_name_and_a_value() {
        assert_eq!(claim_and_value("role = a=b"), Ok(("role".to_owned(), "a=b".to_owned())));
        for bad in ["role", "=admin", "role=", " = "] {
            assert!(claim_and_value(bad).is_err(), "{bad}");
        }
    }
}
