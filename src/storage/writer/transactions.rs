//! A writing connection: runs batches in transactions, retries them, and reconnects when the connection is
//! lost.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    checkpointer::{Checkpointer, Commits, leave_to_thread},
    in_doubt::CommitMarker,
    job::{Job, JobOutcome, Work},
    job_meter::JobMeter,
    shared::WriterState,
};
use crate::storage::{
    Access, AnyConn, DatabaseUrl, OpenError, StorageError, StorageMeter, StoragePolicy,
    commands::{Batched, Times, apply, apply_together},
    db::{
        session,
        transaction::{self, TRIES},
    },
    tables::locks::LockedRows,
};

/// The result of each job, in order.
pub(super) type Results = Vec<Result<JobOutcome, StorageError>>;

/// Reason given for jobs whose caller has already timed out.
pub(super) const TOO_LATE: &str = "the write timed out";

/// How long the database is polled for the outcome of an in-doubt transaction.
const IN_DOUBT_TIMEOUT: Duration = Duration::from_secs(60);

/// Delay between two polls for the outcome of an in-doubt transaction.
const IN_DOUBT_POLL: Duration = Duration::from_millis(50);

/// A writing connection that reconnects when it is lost.
pub(super) struct WriteConnection {
    url: DatabaseUrl,
    conn: AnyConn,
    /// Numbers its transactions; PostgreSQL only.
    marker: Option<CommitMarker>,
    state: Arc<WriterState>,
    meter: Option<Arc<StorageMeter>>,
    job_meter: JobMeter,
    /// Reports commits to the checkpoint thread; SQLite only.
    commits: Option<Commits>,
}

/// Why a transaction was not committed, or may not have been.
enum Undone {
    NotBegun(StorageError),
    Failed(StorageError),
    /// The deadline of a job passed: its caller has already got a timeout error.
    Expired,
    /// The connection was lost during the commit with this number.
    InDoubt(i64, Results),
}

/// How to continue after a transaction that was not committed.
enum Recovery {
    /// Return the results: the transaction was committed after all.
    Done(Results),
    /// Retry the whole batch.
    Again(StorageError),
    /// Try each job in a transaction of its own.
    Alone(StorageError),
    /// Fail all jobs: the database is unavailable.
    Away(StorageError),
}

impl WriteConnection {
    pub(super) fn open(
        url: &DatabaseUrl,
        state: Arc<WriterState>,
        meter: Option<Arc<StorageMeter>>,
        checkpointer: Option<&Checkpointer>,
    ) -> Result<Self, OpenError> {
        let marker = matches!(url, DatabaseUrl::Postgres(_)).then(CommitMarker::random);
        let conn = open(url, marker.as_ref())?;
        let job_meter = JobMeter::new(state.clone(), meter.clone());
        let commits = checkpointer.and_then(Checkpointer::commits);
        Ok(Self { url: url.clone(), conn, marker, state, meter, job_meter, commits })
    }

    /// Warns if the database's error messages are not in English: some errors are recognized by their text
    /// only.
    pub(super) fn warn_if_errors_localized(&mut self) {
        if !session::has_english_errors(&mut self.conn).unwrap_or(true) {
            tracing::warn!(
                "error messages of the database are not in English, so some temporary errors will be \
                 answered with 500; as a superuser, run: ALTER ROLE ... SET lc_messages = 'C'"
            );
        }
    }

    /// Runs jobs in one transaction. If that fails, each job is tried alone, so that only the failing job is
    /// lost. `asked`: whether to wait for chats that others have locked, or to skip them. A job that cannot
    /// be batched waits for its locks in any case, once.
    pub(super) fn run_jobs(
        &mut self,
        policy: &StoragePolicy,
        jobs: &mut [Job],
        asked: LockedRows,
    ) -> Results {
        let shares = jobs.iter().any(|job| job.sharing().is_some());
        let mut locked_rows = if shares { asked } else { LockedRows::SkipLocked };
        let mut tries = TRIES;
        loop {
            let undone = match self.run_batch(policy, jobs, locked_rows) {
                Ok(results) => return results,
                Err(undone) => undone,
            };
            tries -= 1;
            match self.recover(undone, &mut locked_rows) {
                Recovery::Done(results) => return results,
                Recovery::Away(error) => return all_unavailable(jobs.len(), error),
                Recovery::Again(_) if tries > 0 => {}
                Recovery::Again(error) | Recovery::Alone(error) => {
                    return self.run_each(policy, jobs, error, asked);
                }
            }
        }
    }

    /// Decides how to continue after a transaction that was not committed. Reconnects if the connection was
    /// lost.
    fn recover(&mut self, undone: Undone, locked_rows: &mut LockedRows) -> Recovery {
        match undone {
            Undone::Expired => Recovery::Alone(StorageError::Unavailable(TOO_LATE.to_owned())),
            Undone::InDoubt(number, results) => match self.was_committed(number) {
                Some(true) => Recovery::Done(results),
                Some(false) => {
                    Recovery::Again(StorageError::Unavailable("the connection was lost".to_owned()))
                }
                None => {
                    Recovery::Away(StorageError::Unavailable("the outcome of a commit is unknown".to_owned()))
                }
            },
            Undone::NotBegun(error) | Undone::Failed(error) if session::is_lost(&mut self.conn) => {
                self.reopen().map_or_else(|error| Recovery::Away(error.into()), |()| Recovery::Again(error))
            }
            // The database is unavailable: each job alone would fail too, only more slowly.
            Undone::NotBegun(error) => Recovery::Away(error),
            Undone::Failed(error @ StorageError::Conflict(_)) => Recovery::Again(error),
            Undone::Failed(error @ StorageError::Locked(_)) if *locked_rows == LockedRows::Wait => {
                // The lock timeout has passed: the retry skips the chats that are still locked.
                *locked_rows = LockedRows::SkipLocked;
                Recovery::Again(error)
            }
            Undone::Failed(error) => Recovery::Alone(error),
        }
    }

    /// Runs each job in a transaction of its own. A single job has already had one and fails with `error`.
    fn run_each(
        &mut self,
        policy: &StoragePolicy,
        jobs: &mut [Job],
        error: StorageError,
        locked_rows: LockedRows,
    ) -> Results {
        if jobs.len() == 1 {
            return vec![Err(error)];
        }
        let singles = jobs.chunks_mut(1);
        singles.flat_map(|job| self.run_jobs(policy, job, locked_rows)).collect()
    }

    /// Runs all jobs in one transaction. Rolls back if a job fails or has expired.
    fn run_batch(
        &mut self,
        policy: &StoragePolicy,
        jobs: &mut [Job],
        locked_rows: LockedRows,
    ) -> Result<Results, Undone> {
        check_deadlines(jobs)?;
        let begun = Instant::now();
        let conn = &mut self.conn;
        let number = match &mut self.marker {
            None => transaction::begin(conn).map(|()| None),
            Some(marker) => marker.begin(conn).map(Some),
        };
        let number = number.map_err(Undone::NotBegun)?;
        let attempted =
            attempt_all(conn, policy, jobs, locked_rows, &mut self.job_meter).map_err(Undone::Failed);
        let attempted = attempted.and_then(|results| check_deadlines(jobs).map(|()| results));
        let results = attempted.inspect_err(|_| transaction::roll_back(conn))?;
        let written = Instant::now();
        let committed = transaction::commit(conn);
        if let Some(meter) = &self.meter {
            meter.transacted(jobs.len(), begun.elapsed(), written.elapsed());
        }
        match (committed, number) {
            (Ok(()), _) => {
                if let Some(commits) = &self.commits {
                    commits.note(conn);
                }
                Ok(results)
            }
            (Err(_), Some(number)) if session::is_lost(conn) => Err(Undone::InDoubt(number, results)),
            (Err(error), _) => Ok(all_unavailable(jobs.len(), error)),
        }
    }

    fn reopen(&mut self) -> Result<(), OpenError> {
        self.conn = open(&self.url, self.marker.as_ref())?;
        tracing::warn!("the connection to the database was lost; reconnected");
        Ok(())
    }

    /// Polls until the database knows the outcome of an in-doubt transaction. `None` after
    /// [`IN_DOUBT_TIMEOUT`], or when the server stops. The caller has long got its timeout error; subscribers
    /// still need the event of a commit.
    fn was_committed(&mut self, number: i64) -> Option<bool> {
        let deadline = Instant::now() + IN_DOUBT_TIMEOUT;
        while Instant::now() < deadline && !self.state.is_stopping.load(Ordering::Relaxed) {
            if (!session::is_lost(&mut self.conn) || self.reopen().is_ok())
                && let Ok(known) = self.marker.as_ref()?.was_committed(&mut self.conn, number)
            {
                return Some(known);
            }
            #[expect(clippy::disallowed_methods, reason = "the worker's own thread")]
            std::thread::sleep(IN_DOUBT_POLL);
        }
        None
    }
}

fn open(url: &DatabaseUrl, marker: Option<&CommitMarker>) -> Result<AnyConn, OpenError> {
    let mut conn = url.open_to_serve(Access::Write)?;
    if let Some(marker) = marker {
        marker.prepare(&mut conn).map_err(|error| OpenError::new(&url.name(), error))?;
    }
    if let DatabaseUrl::Sqlite(_) = url {
        leave_to_thread(&mut conn).map_err(|error| OpenError::new(&url.name(), error))?;
    }
    Ok(conn)
}

fn check_deadlines(jobs: &[Job]) -> Result<(), Undone> {
    let now = Instant::now();
    if jobs.iter().any(|job| job.has_expired(now)) { Err(Undone::Expired) } else { Ok(()) }
}

/// Runs the jobs inside the open transaction. A refusal is a job's result. Any other failure, or a panic,
/// fails the whole transaction.
fn attempt_all(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    jobs: &mut [Job],
    locked_rows: LockedRows,
    job_meter: &mut JobMeter,
) -> Result<Results, StorageError> {
    let caught = catch_unwind(AssertUnwindSafe(|| run_in_order(conn, policy, jobs, locked_rows, job_meter)));
    // A job that panicked may have written half of its rows, so the transaction must be rolled back.
    caught.unwrap_or(Err(StorageError::Failed(diesel::result::Error::RollbackTransaction)))
}

/// Runs the jobs in order. Adjacent commands that can be batched are applied together.
fn run_in_order(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    mut jobs: &mut [Job],
    locked_rows: LockedRows,
    job_meter: &mut JobMeter,
) -> Result<Results, StorageError> {
    let mut results = Vec::with_capacity(jobs.len());
    while !jobs.is_empty() {
        let together: Vec<Batched> = jobs.iter().map_while(Job::sharing).collect();
        let count = together.len().max(1);
        if together.is_empty() {
            let begun = Instant::now();
            let job = &mut jobs[0];
            let result = job.log_context.enter(|| run_one(conn, policy, job));
            job_meter.took(job, begun.elapsed());
            results.push(result?);
        } else {
            let mut times = Times::default();
            let done = apply_together(conn, policy, &together, locked_rows, &mut times);
            job_meter.took_together(jobs, &times);
            results.extend(done?.into_iter().map(|done| done.map(Some)));
        }
        jobs = &mut jobs[count..];
    }
    Ok(results)
}

fn run_one(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    job: &mut Job,
) -> Result<Result<JobOutcome, StorageError>, StorageError> {
    let result = match &mut job.work {
        Work::Command { command, .. } => apply(conn, policy, command).map(Some),
        Work::Task(task) => task.attempt(conn, policy).map(|()| None),
    };
    match result {
        Err(StorageError::Refused(refusal)) => Ok(Err(refusal.into())),
        result => result.map(Ok),
    }
}

fn all_unavailable(count: usize, why: impl ToString) -> Results {
    let why = why.to_string();
    (0..count).map(|_| Err(StorageError::Unavailable(why.clone()))).collect()
}
