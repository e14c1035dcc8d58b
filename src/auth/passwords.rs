//! Passwords, hashed with argon2id. Hashes made by Django are accepted and replaced at the next sign-in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::Builder,
    time::{Duration, Instant},
};

use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
#[cfg(target_os = "linux")]
use rustix::process::{getpriority_process, setpriority_process};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::{
    sync::{Semaphore, oneshot},
    time::{sleep_until, timeout},
};

use super::strength;
use crate::core::{
    model::{FieldErrors, Refusal},
    secrets,
};

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

/// Prefix of hashes made by Django.
pub const DJANGO: &str = "pbkdf2_sha256$";

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

/// Verifies a password against a stored hash.
pub fn verify(password: &str, stored: &str) -> Verdict {
    // No stored password is longer (a character has at most 4 bytes), and hashing megabytes is expensive.
    if password.len() > 4 * MAX_CHARS {
        return Verdict::Wrong;
    }
    if let Some(django) = stored.strip_prefix(DJANGO) {
        let is_right = verify_django(password, django).unwrap_or(false);
        return if is_right { Verdict::RightRehashed(hash(password)) } else { Verdict::Wrong };
    }
    let Ok(parsed) = PasswordHash::new(stored) else { return Verdict::Wrong };
    let argon2 = argon2id();
    if PasswordVerifier::<PasswordHash>::verify_password(&argon2, password.as_bytes(), &parsed).is_err() {
        return Verdict::Wrong;
    }
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    let is_current = Params::try_from(&parsed).is_ok_and(|params| costs(&params) == costs(argon2.params()));
    if is_current { Verdict::Right } else { Verdict::RightRehashed(hash(password)) }
}

/// Verifies against `iterations$salt$hash`: the salt is plain text, the hash is Base64. `None`: malformed.
fn verify_django(password: &str, stored: &str) -> Option<bool> {
    let mut parts = stored.splitn(3, '$');
    let rounds: u32 = parts.next()?.parse().ok().filter(|rounds| (1..=10_000_000).contains(rounds))?;
    let salt = parts.next()?;
    let expected = STANDARD.decode(parts.next()?).ok()?;
    let actual = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.as_bytes(), rounds);
    Some(actual.as_slice().ct_eq(&expected).into())
}

/// Returns argon2id with 19 MiB, two passes and one lane, as OWASP's Password Storage Cheat Sheet recommends.
fn argon2id() -> Argon2<'static> {
    Argon2::from(Params::new(19_456, 2, 1, None).expect("the parameters are valid"))
}

/// Returns a random dummy hash, which takes as long to verify as a real one and matches no known password. It
/// is built without hashing, so that a server without sign-ins never allocates the memory for it.
fn dummy_hash() -> String {
    let random = secrets::random::<48>();
    let (salt, output) = random.split_at(16);
    let argon2 = argon2id();
    let (memory, passes, lanes) =
        (argon2.params().m_cost(), argon2.params().t_cost(), argon2.params().p_cost());
    let [salt, output] = [salt, output].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}")
}

/// Hashes passwords on threads of their own, few at a time, so that a burst of sign-ins does not stall the
/// workers.
#[derive(Clone)]
pub struct Hasher {
    free: Arc<Semaphore>,
    /// Limits registrations to one hash at a time, so that sign-ins do not wait for them.
    registering: Arc<Semaphore>,
    /// Dummy hash for unknown users, so that a sign-in takes the same time whether or not the user exists.
    dummy: Arc<str>,
    /// Whether any user has a Django hash, which takes a different time to verify.
    has_django_hashes: Arc<AtomicBool>,
}

/// If users have hashes of different kinds, failed sign-ins take a whole number of these steps.
const STEP: Duration = Duration::from_secs(1);

/// Timeout for waiting in the hashing queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

impl Hasher {
    /// Creates a hasher that hashes at most `at_once` passwords in parallel.
    pub fn new(at_once: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(at_once.max(1))),
            registering: Arc::new(Semaphore::new(1)),
            dummy: dummy_hash().into(),
            has_django_hashes: Arc::default(),
        }
    }

    /// Notes that some users have Django hashes.
    pub fn expect_others(&self) {
        self.has_django_hashes.store(true, Ordering::Relaxed);
    }

    /// Delays a failed sign-in to the next multiple of `STEP`, if users have Django hashes. So the time
    /// does not reveal the kind of hash, or whether the user exists.
    pub async fn level(&self, began: Instant) {
        if self.has_django_hashes.load(Ordering::Relaxed) {
            let steps = began.elapsed().as_nanos().div_ceil(STEP.as_nanos()) as u32;
            sleep_until((began + steps * STEP).into()).await;
        }
    }

    /// Verifies a password against a user's hash. Without a hash it is wrong, after the same time.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<Verdict, Refusal> {
        let dummy = self.dummy.clone();
        let free = self.free.clone();
        if stored.as_deref().is_some_and(|hash| hash.starts_with(DJANGO)) {
            self.expect_others();
        }
        self.run(free, move || {
            match stored.filter(|hash| hash != crate::storage::tables::users::NO_PASSWORD) {
                Some(stored) => verify(&password, &stored),
                None => {
                    verify(&password, &dummy);
                    Verdict::Wrong
                }
            }
        })
        .await
    }

    /// Hashes a new password, or fails if it is easy to guess.
    pub async fn hash(&self, new: NewPassword) -> Result<String, Refusal> {
        Ok(self.run(self.free.clone(), move || new.hash()).await??)
    }

    /// Hashes the password of a registration, or fails if it is easy to guess.
    pub async fn hash_to_register(&self, new: NewPassword) -> Result<String, Refusal> {
        Ok(self.run(self.registering.clone(), move || new.hash()).await??)
    }

    async fn run<T: Send + 'static>(
        &self,
        queue: Arc<Semaphore>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let free = timeout(QUEUE_TIMEOUT, queue.acquire_owned()).await;
        let Ok(Ok(permit)) = free else { return Err(Refusal::Busy) };
        let (sender, result) = oneshot::channel();
        let thread = Builder::new().name("hasher".to_owned()).spawn(move || {
            let _permit = permit;
            lower_priority();
            let _ = sender.send(work());
        });
        if let Err(error) = thread {
            tracing::error!(%error, "cannot start a thread to hash a password; the request gets 503");
            return Err(Refusal::Busy);
        }
        // The panic hook has already logged a panic of the thread.
        result.await.map_err(|_| Refusal::Internal)
    }
}

/// Niceness added to hashing threads. They then get about a quarter of a core beside a busy thread. With 10 they
/// would get a tenth, and sign-ins would time out on a machine that is busy with other programs.
const LOWER: i32 = 5;

/// Lowers the priority of the current thread, because a slow sign-in is better than a slow message. Linux
/// only: elsewhere the call would apply to the whole process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Ok(priority) = getpriority_process(None) {
        // If the call is not permitted, hashing continues at normal priority.
        let _ = setpriority_process(None, priority + LOWER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[actix_rt::test]
    async fn hashing_lets_other_threads_go_first() {
        let hasher = Hasher::new(1);
        let before = getpriority_process(None).unwrap();
        let hashing = hasher.run(hasher.free.clone(), || getpriority_process(None).unwrap()).await;
        assert_eq!(hashing, Ok((before + LOWER).min(19)));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }

    #[test]
    fn a_password_fits_its_hash_only() {
        let stored = hash("correct horse");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(verify("correct horse", &stored), Verdict::Right);
        assert_eq!(verify("Correct horse", &stored), Verdict::Wrong);
        assert_eq!(verify(&"x".repeat(1_000), &stored), Verdict::Wrong);
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
    fn djangos_hashes_verify_and_are_replaced() {
        // hashlib.pbkdf2_hmac("sha256", b"greenroom", b"seasalt", 1000), as Django writes it.
        let stored = "pbkdf2_sha256$1000$seasalt$wLUmo5LyH7ibWvgvh58fctOy9Q/53+0Q8eluQjS8PIY=";
        assert!(
            matches!(verify("greenroom", stored), Verdict::RightRehashed(new) if new.starts_with("$argon2id$"))
        );
        assert_eq!(verify("Greenroom", stored), Verdict::Wrong);
        assert_eq!(verify("greenroom", "pbkdf2_sha256$x$y"), Verdict::Wrong);
    }
}
