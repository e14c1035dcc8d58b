//! Threads that hash passwords, and the time that failed sign-ins take.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::Builder,
    time::{Duration, Instant},
};

#[cfg(target_os = "linux")]
use rustix::process::{getpriority_process, setpriority_process};
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    sync::{Semaphore, oneshot},
    time::{sleep_until, timeout},
};

use super::{NewPassword, StoredHash, Verdict, dummy_hash, is_too_long, judge};
use crate::core::model::Refusal;

/// Hashes passwords on threads of their own, few at a time, so that a burst of sign-ins does not stall the
/// workers.
#[derive(Clone)]
pub struct Hasher {
    free: Arc<Semaphore>,
    /// Limits registrations to one hash at a time, so that sign-ins do not wait for them.
    registering: Arc<Semaphore>,
    /// Dummy hash for unknown users, so that a sign-in takes the same time whether or not the user exists.
    dummy: Arc<str>,
    slowest: Arc<Slowest>,
}

/// The longest time of verifying a hash that is not ours, in nanoseconds; zero if there is none.
#[derive(Default)]
struct Slowest {
    /// Estimated from the hashes in the database.
    expected: AtomicU64,
    /// Measured since the start, doubled since the threads have a low priority.
    measured: AtomicU64,
}

/// If users have hashes of different kinds, failed sign-ins take a whole number of these steps.
const STEP: Duration = Duration::from_secs(1);

/// Timeout for waiting in the hashing queue. On a machine that other programs keep busy, threads of low priority
/// take seconds for a hash. A late sign-in is better than an error and another try.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(25);

impl Hasher {
    /// Creates a hasher that hashes at most `at_once` passwords in parallel.
    pub fn new(at_once: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(at_once.max(1))),
            registering: Arc::new(Semaphore::new(1)),
            dummy: dummy_hash().into(),
            slowest: Arc::default(),
        }
    }

    /// Notes the longest time that verifying a hash in the database takes, of those that are not ours. Zero:
    /// there are none.
    pub fn expect(&self, slowest: Duration) {
        self.slowest.expected.store(nanos(slowest), Ordering::Relaxed);
    }

    /// Delays a failed sign-in, if users have hashes that are not ours. It then takes as long as the slowest
    /// of them, in whole steps. So the time does not reveal the kind of hash, or whether the user exists.
    pub async fn level(&self, began: Instant) {
        let slowest = self.slowest.get();
        if slowest > Duration::ZERO {
            let least = began.elapsed().max(slowest);
            let steps = least.as_nanos().div_ceil(STEP.as_nanos()) as u32;
            sleep_until((began + steps * STEP).into()).await;
        }
    }

    /// Verifies a password against a user's hash. Without a hash that can be verified it is wrong, after the
    /// time of a dummy hash.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<Verdict, Refusal> {
        let (dummy, slowest) = (self.dummy.clone(), self.slowest.clone());
        self.run(self.free.clone(), move || {
            let stored = stored.as_deref().and_then(|stored| StoredHash::parse(stored).ok());
            match stored {
                _ if is_too_long(&password) => Verdict::Wrong,
                Some(stored) => {
                    let began = thread_time();
                    let is_right = stored.fits(&password);
                    if !stored.is_current() {
                        slowest.measured(thread_time().saturating_sub(began));
                    }
                    judge(&stored, is_right, &password)
                }
                None => {
                    let _ = StoredHash::parse(&dummy).map(|dummy| dummy.fits(&password));
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

impl Slowest {
    fn get(&self) -> Duration {
        let [expected, measured] = [&self.expected, &self.measured].map(|time| time.load(Ordering::Relaxed));
        Duration::from_nanos(expected.max(measured))
    }

    fn measured(&self, time: Duration) {
        self.measured.fetch_max(nanos(2 * time).max(1), Ordering::Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

/// Returns the time that this thread has spent on a core. Unlike the time of day, it does not depend on the
/// load of the machine.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
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

    async fn seconds_of_a_failure(hasher: &Hasher) -> u64 {
        let began = Instant::now();
        hasher.level(began).await;
        began.elapsed().as_secs()
    }

    #[actix_rt::test]
    async fn a_failure_takes_as_long_as_the_slowest_hash() {
        let hasher = Hasher::new(1);
        assert_eq!(seconds_of_a_failure(&hasher).await, 0);
        hasher.expect(Duration::from_millis(10));
        assert_eq!(seconds_of_a_failure(&hasher).await, 1);
        hasher.expect(Duration::from_millis(1_010));
        assert_eq!(seconds_of_a_failure(&hasher).await, 2);
        hasher.expect(Duration::ZERO);
        assert_eq!(seconds_of_a_failure(&hasher).await, 0);
        // A hash that came into the database by another way.
        let hash = "pbkdf2_sha256$1000$seasalt$wLUmo5LyH7ibWvgvh58fctOy9Q/53+0Q8eluQjS8PIY=";
        let verdict = hasher.verify("wrong".to_owned(), Some(hash.to_owned())).await;
        assert_eq!(verdict, Ok(Verdict::Wrong));
        assert_eq!(seconds_of_a_failure(&hasher).await, 1);
    }

    #[actix_rt::test]
    async fn a_hash_that_cannot_be_verified_takes_the_time_of_a_dummy() {
        let hasher = Hasher::new(1);
        for stored in [None, Some("!"), Some("!djangos"), Some("md5$a$b"), Some("bcrypt$$2b$31$x")] {
            let used = hasher.run(hasher.free.clone(), thread_time).await.unwrap();
            let began = Instant::now();
            let verdict = hasher.verify("greenroom".to_owned(), stored.map(str::to_owned)).await;
            assert_eq!(verdict, Ok(Verdict::Wrong));
            // argon2 with 19 MiB takes some milliseconds on any machine.
            assert!(began.elapsed() > used + Duration::from_millis(4), "{stored:?}");
        }
    }
}
