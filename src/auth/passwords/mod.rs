//! Passwords, hashed with argon2id. Hashes made by Django are accepted and replaced at the next sign-in.

mod hasher;
mod stored_hash;

use argon2::PasswordHasher;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

pub use hasher::Hasher;
pub use stored_hash::{HashError, StoredHash};

use self::stored_hash::argon2id;
use super::strength;
use crate::core::{model::FieldErrors, secrets};

/// Minimum length of a password, in characters.
const MIN_CHARS: usize = 8;

/// Maximum length of a password, in characters.
const MAX_CHARS: usize = 128;

/// Checks the length of a new password. [`NewPassword::hash`] checks its strength.
pub fn check(password: &str) -> Result<(), String> {
    let chars = password.chars().count();
    if chars < MIN_CHARS {
        return Err(format!("This password is too short. It must contain at least {MIN_CHARS} characters."));
    }
    if chars > MAX_CHARS {
        return Err(format!("This password is too long. It may have no more than {MAX_CHARS} characters."));
    }
    Ok(())
}

/// A password to be set, and the names and addresses of its user that others know.
#[derive(Debug, Clone)]
pub struct NewPassword {
    pub password: String,
    pub known: Vec<String>,
}

impl NewPassword {
    /// Hashes the password, or fails if it is easy to guess.
    pub fn hash(&self) -> Result<String, FieldErrors> {
        strength::check(&self.password, &self.known)
            .map_err(|sentence| FieldErrors::of("password", sentence))?;
        Ok(hash(&self.password))
    }
}

/// Result of verifying a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// The password is right. Its stored hash should be replaced by this one.
    RightRehashed(String),
}

/// Hashes a password. By design this takes tens of milliseconds and 19 MiB.
pub fn hash(password: &str) -> String {
    argon2id().hash_password(password.as_bytes()).expect("the parameters are valid").to_string()
}

/// Returns the verdict on a password, with its new hash if it is right and the stored one is outdated.
fn judge(stored: &StoredHash, is_right: bool, password: &str) -> Verdict {
    match is_right {
        false => Verdict::Wrong,
        true if stored.is_current() => Verdict::Right,
        true => Verdict::RightRehashed(hash(password)),
    }
}

/// Returns whether no stored password is as long: a character has at most 4 bytes. Hashing megabytes is
/// expensive.
fn is_too_long(password: &str) -> bool {
    password.len() > 4 * MAX_CHARS
}

/// Returns what all current hashes begin with.
pub fn current_prefix() -> String {
    let argon2 = argon2id();
    let (memory, passes, lanes) =
        (argon2.params().m_cost(), argon2.params().t_cost(), argon2.params().p_cost());
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}$")
}

/// Returns a random dummy hash, which takes as long to verify as a real one and matches no known password. It
/// is built without hashing, so that a server without sign-ins never allocates the memory for it.
fn dummy_hash() -> String {
    let random = secrets::random::<48>();
    let (salt, output) = random.split_at(16);
    let [salt, output] = [salt, output].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    format!("{}{salt}${output}", current_prefix())
}

#[cfg(test)]
mod tests {
    use argon2::{Argon2, Params, password_hash::phc::PasswordHash};

    use super::*;

    fn verify(password: &str, stored: &str) -> Verdict {
        let Ok(stored) = StoredHash::parse(stored) else { return Verdict::Wrong };
        judge(&stored, stored.fits(password), password)
    }

    #[test]
    fn a_password_fits_its_hash_only() {
        let stored = hash("correct horse");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(stored.starts_with(&current_prefix()));
        assert_eq!(verify("correct horse", &stored), Verdict::Right);
        assert_eq!(verify("Correct horse", &stored), Verdict::Wrong);
        assert!(is_too_long(&"x".repeat(1_000)) && !is_too_long(&"界".repeat(MAX_CHARS)));
        assert_eq!(verify("anything", "!"), Verdict::Wrong);
    }

    #[test]
    fn verifying_the_dummy_hash_is_the_same_work() {
        let (dummy, real) = (dummy_hash(), hash("correct horse"));
        let parts = |hash: &str| {
            let hash = PasswordHash::new(hash).unwrap();
            let params = Params::try_from(&hash).unwrap();
            (params, hash.salt.unwrap().as_ref().len(), hash.hash.unwrap().as_bytes().len())
        };
        assert_eq!(parts(&dummy), parts(&real));
        assert_eq!(verify("correct horse", &dummy), Verdict::Wrong);
    }

    #[test]
    fn a_hash_of_another_kind_or_with_other_costs_is_replaced() {
        let outdated = Argon2::from(Params::new(1_024, 1, 1, None).unwrap());
        let outdated = outdated.hash_password(b"greenroom").unwrap().to_string();
        let djangos = "pbkdf2_sha256$1000$seasalt$wLUmo5LyH7ibWvgvh58fctOy9Q/53+0Q8eluQjS8PIY=";
        for stored in [&outdated, djangos] {
            let Verdict::RightRehashed(new) = verify("greenroom", stored) else { panic!("{stored}") };
            assert!(new.starts_with(&current_prefix()));
            assert_eq!(verify("greenroom", &new), Verdict::Right);
            assert_eq!(verify("Greenroom", stored), Verdict::Wrong);
        }
        assert_eq!(verify("greenroom", "pbkdf2_sha256$x$y"), Verdict::Wrong);
    }
}
