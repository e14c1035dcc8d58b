//! Passwords: hashed with argon2id; hashes that Django made are accepted and replaced at the next sign-in.

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
use crate::core::model::{FieldErrors, Refusal};

/// Shortest and longest password, in characters.
const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 128;

/// Whether a password is of a length that may be set. How easily it is guessed is found out where it is hashed.
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

/// A password to be set, and what others know of its user.
#[derive(Debug, Clone)]
pub struct NewPassword {
    pub password: String,
    pub known: Vec<String>,
}

impl NewPassword {
    /// Hashes it, unless it is easily guessed.
    pub fn hash(&self) -> Result<String, FieldErrors> {
        strength::check(&self.password, &self.known)
            .map_err(|sentence| FieldErrors::of("password", sentence))?;
        Ok(hash(&self.password))
    }
}

/// What hashes begin with that Django made.
pub const DJANGO: &str = "pbkdf2_sha256$";

/// What came of trying a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// It is right, and its hash should be replaced by this one.
    RightRehashed(String),
}

/// Hashes a password, which takes tens of milliseconds and 19 MiB by design.
pub fn hash(password: &str) -> String {
    argon2id().hash_password(password.as_bytes()).expect("the parameters are valid").to_string()
}

/// Tries a password against a stored hash.
pub fn verify(password: &str, stored: &str) -> Verdict {
    // Nobody has a longer one, and nobody may make us hash megabytes.
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

/// `iterations$salt$hash`: the salt is used as it stands, the hash is in Base64.
fn verify_django(password: &str, stored: &str) -> Option<bool> {
    let mut parts = stored.splitn(3, '$');
    let rounds: u32 = parts.next()?.parse().ok().filter(|rounds| (1..=10_000_000).contains(rounds))?;
    let salt = parts.next()?;
    let expected = STANDARD.decode(parts.next()?).ok()?;
    let actual = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.as_bytes(), rounds);
    Some(actual.as_slice().ct_eq(&expected).into())
}

/// argon2id with 19 MiB, two passes, one lane, as OWASP's cheat sheet on password storage recommends.
fn argon2id() -> Argon2<'static> {
    Argon2::from(Params::new(19_456, 2, 1, None).expect("the parameters are valid"))
}

/// What looks like a hash, takes as long to be tried, and is of no password that anybody knows. Made without hashing, so that
/// a server that nobody signs in to never takes the memory for it.
fn of_nobody() -> String {
    let mut random = [0; 48];
    getrandom::fill(&mut random).expect("the system has random bytes");
    let (salt, output) = random.split_at(16);
    let argon2 = argon2id();
    let (memory, passes, lanes) =
        (argon2.params().m_cost(), argon2.params().t_cost(), argon2.params().p_cost());
    let [salt, output] = [salt, output].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}")
}

/// Hashes off the threads that serve, few at a time: a storm of sign-ins must not stop the chats.
#[derive(Clone)]
pub struct Hasher {
    free: Arc<Semaphore>,
    /// New accounts are hashed for one at a time, so that signing in does not wait for them.
    registering: Arc<Semaphore>,
    /// Tried where there is no user, so that it takes as long as where there is one.
    nobody: Arc<str>,
    /// Whether users have hashes that take another time than ours.
    has_others: Arc<AtomicBool>,
}

/// Where users have hashes of different kinds, failures are answered after a whole number of these.
const STEP: Duration = Duration::from_secs(1);

/// How long a sign-in waits for others.
const WAIT: Duration = Duration::from_secs(10);

impl Hasher {
    /// Hashes at most `at_once` passwords at a time.
    pub fn new(at_once: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(at_once.max(1))),
            registering: Arc::new(Semaphore::new(1)),
            nobody: of_nobody().into(),
            has_others: Arc::default(),
        }
    }

    /// Notes that users have hashes that Django made.
    pub fn expect_others(&self) {
        self.has_others.store(true, Ordering::Relaxed);
    }

    /// Waits until the time that a failure took tells nothing of the kind of hash that was tried, or whether there was any.
    pub async fn level(&self, began: Instant) {
        if self.has_others.load(Ordering::Relaxed) {
            let steps = began.elapsed().as_nanos().div_ceil(STEP.as_nanos()) as u32;
            sleep_until((began + steps * STEP).into()).await;
        }
    }

    /// Tries a password against a user's hash; against none, it is wrong and takes as long.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<Verdict, Refusal> {
        let nobody = self.nobody.clone();
        let free = self.free.clone();
        if stored.as_deref().is_some_and(|hash| hash.starts_with(DJANGO)) {
            self.expect_others();
        }
        self.run(free, move || {
            match stored.filter(|hash| hash != crate::storage::tables::users::NO_PASSWORD) {
                Some(stored) => verify(&password, &stored),
                None => {
                    verify(&password, &nobody);
                    Verdict::Wrong
                }
            }
        })
        .await
    }

    /// Hashes a password to be set, unless it is easily guessed.
    pub async fn hash(&self, new: NewPassword) -> Result<String, Refusal> {
        Ok(self.run(self.free.clone(), move || new.hash()).await??)
    }

    /// Hashes the password of an account that somebody makes for themselves.
    pub async fn hash_to_register(&self, new: NewPassword) -> Result<String, Refusal> {
        Ok(self.run(self.registering.clone(), move || new.hash()).await??)
    }

    async fn run<T: Send + 'static>(
        &self,
        queue: Arc<Semaphore>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let free = timeout(WAIT, queue.acquire_owned()).await;
        let Ok(Ok(permit)) = free else { return Err(Refusal::Busy) };
        let (told, result) = oneshot::channel();
        let thread = Builder::new().name("hasher".to_owned()).spawn(move || {
            let _permit = permit;
            step_back();
            let _ = told.send(work());
        });
        if let Err(error) = thread {
            tracing::error!(%error, "no thread to hash a password on");
            return Err(Refusal::Busy);
        }
        // A thread that panics says so itself.
        result.await.map_err(|_| Refusal::Internal)
    }
}

/// How much lower than others' the priority of threads is that hash.
const LOWER: i32 = 10;

/// Lets other threads go first: a sign-in may take a little longer, a message must not. Linux gives each thread a priority of
/// its own; elsewhere it would be the whole process's.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Ok(priority) = getpriority_process(None) {
        // It is done all the same where that is not allowed.
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
    fn trying_the_hash_of_nobody_is_the_same_work() {
        let (nobody, real) = (of_nobody(), hash("correct horse"));
        let parts = |hash: &str| {
            let hash = PasswordHash::new(hash).unwrap();
            let params = Params::try_from(&hash).unwrap();
            (params, hash.salt.unwrap().as_ref().len(), hash.hash.unwrap().as_bytes().len())
        };
        assert_eq!(parts(&nobody), parts(&real));
        assert_eq!(verify("correct horse", &nobody), Verdict::Wrong);
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
