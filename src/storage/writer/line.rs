//! A writing connection: transactions, what of them is tried again, and another connection where this one is lost.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    job::{Job, Outcome, Work},
    lane::State,
};
use crate::{
    model::Command,
    storage::{
        Access, AnyConn, DatabaseUrl, OpenError, Rules, StorageError,
        apply::{apply, apply_together},
        commits::Count,
        conn::{self, TRIES},
        locks::Contested,
    },
};

/// What came of each job.
pub(super) type Results = Vec<Result<Outcome, StorageError>>;

/// Said of jobs that nobody waits for any more.
const TOO_LATE: &str = "it was not done in time";

/// For so long it is asked what became of a commit that was not answered.
const DOUBT_LASTS: Duration = Duration::from_secs(60);
const DOUBT_PAUSE: Duration = Duration::from_millis(50);

/// A writing connection, and where to find another one once it is lost.
pub(super) struct Line {
    url: DatabaseUrl,
    conn: AnyConn,
    /// Of its transactions on PostgreSQL.
    count: Option<Count>,
    state: Arc<State>,
}

/// Why a transaction stored nothing, or perhaps nothing.
enum Undone {
    NotBegun(StorageError),
    Failed(StorageError),
    /// Somebody has been told meanwhile that it would not be done.
    Expired,
    /// The connection was lost over the commit.
    InDoubt(i64, Results),
}

impl Line {
    pub fn open(url: &DatabaseUrl, state: Arc<State>) -> Result<Self, OpenError> {
        let conn = open(url)?;
        let count = matches!(conn, AnyConn::Postgres(_)).then(|| Count::new(random_name()));
        Ok(Self { url: url.clone(), conn, count, state })
    }

    /// Whether nobody else can write while a transaction is open here.
    pub fn is_alone(&self) -> bool {
        self.count.is_none()
    }

    /// Carries out jobs in one transaction. Where that fails, each is tried alone, so that a failure costs only the job
    /// that fails.
    pub fn carry_out(&mut self, rules: &Rules, jobs: &mut [Job]) -> Results {
        let mut contested = Contested::WaitedFor;
        for tried in 1.. {
            let undone = match self.together(rules, jobs, contested) {
                Ok(results) => return results,
                Err(undone) => undone,
            };
            let error = match undone {
                Undone::InDoubt(number, results) => match self.was_committed(number) {
                    Some(true) => return results,
                    Some(false) => StorageError::Away("the connection was lost".to_owned()),
                    None => return all_away(jobs.len(), "nobody knows what became of a commit"),
                },
                Undone::NotBegun(error) | Undone::Failed(error) if conn::is_lost(&mut self.conn) => {
                    if let Err(error) = self.reopen() {
                        return all_away(jobs.len(), error);
                    }
                    error
                }
                // Trying each alone would only take longer to fail.
                Undone::NotBegun(error) => return all_away(jobs.len(), error),
                Undone::Failed(error @ StorageError::Clashed(_)) => error,
                Undone::Failed(error @ StorageError::Locked(_)) if !self.is_alone() => {
                    // Others in the batch have waited for long enough.
                    contested = Contested::LeftOut;
                    error
                }
                Undone::Failed(error) => return self.alone(rules, jobs, error),
                Undone::Expired => {
                    return self.alone(rules, jobs, StorageError::Away(TOO_LATE.to_owned()));
                }
            };
            if tried == TRIES {
                return self.alone(rules, jobs, error);
            }
        }
        unreachable!("it is not tried for ever")
    }

    /// Each job in a transaction of its own; a single one has had that.
    fn alone(&mut self, rules: &Rules, jobs: &mut [Job], error: StorageError) -> Results {
        if jobs.len() == 1 {
            return vec![Err(error)];
        }
        let singles = jobs.chunks_mut(1);
        singles.flat_map(|job| self.carry_out(rules, job)).collect()
    }

    /// All jobs in one transaction.
    fn together(&mut self, rules: &Rules, jobs: &mut [Job], contested: Contested) -> Result<Results, Undone> {
        expect_in_time(jobs)?;
        let conn = &mut self.conn;
        conn::begin(conn).map_err(Undone::NotBegun)?;
        let attempted = attempt_all(conn, rules, &mut self.count, jobs, contested).map_err(Undone::Failed);
        let attempted = attempted.and_then(|done| expect_in_time(jobs).map(|()| done));
        let (number, results) = attempted.inspect_err(|_| conn::roll_back(conn))?;
        match (conn::commit(conn), number) {
            (Ok(()), _) => Ok(results),
            (Err(_), Some(number)) if conn::is_lost(conn) => Err(Undone::InDoubt(number, results)),
            (Err(error), _) => Ok(all_away(jobs.len(), error)),
        }
    }

    fn reopen(&mut self) -> Result<(), OpenError> {
        self.conn = open(&self.url)?;
        tracing::warn!("the connection to the database was lost; there is another one");
        Ok(())
    }

    /// Waits until the database can tell whether a transaction was committed; `None` where it cannot in time. Whoever
    /// asked is told in time that nobody knows, but who listens is to hear of what has happened.
    fn was_committed(&mut self, number: i64) -> Option<bool> {
        let deadline = Instant::now() + DOUBT_LASTS;
        while Instant::now() < deadline && !self.state.is_stopping.load(Ordering::Relaxed) {
            if (!conn::is_lost(&mut self.conn) || self.reopen().is_ok())
                && let Ok(known) = self.count.as_ref()?.was_committed(&mut self.conn, number)
            {
                return Some(known);
            }
            std::thread::sleep(DOUBT_PAUSE);
        }
        None
    }
}

fn open(url: &DatabaseUrl) -> Result<AnyConn, OpenError> {
    let mut conn = url.open(Access::Write)?;
    conn::prefer_keys(&mut conn).map_err(|error| OpenError::new(&url.name(), error))?;
    Ok(conn)
}

fn expect_in_time(jobs: &[Job]) -> Result<(), Undone> {
    let now = Instant::now();
    if jobs.iter().any(|job| job.has_expired(now)) { Err(Undone::Expired) } else { Ok(()) }
}

/// A name that no other writing connection has.
fn random_name() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    format!("{:032x}", u128::from_ne_bytes(bytes))
}

/// The transaction's number, where it is counted, and what came of each job.
type Attempted = (Option<i64>, Results);

/// Writes what the jobs are about. A refusal is a result; any other failure is the whole transaction's.
fn attempt_all(
    conn: &mut AnyConn,
    rules: &Rules,
    count: &mut Option<Count>,
    jobs: &mut [Job],
    contested: Contested,
) -> Result<Attempted, StorageError> {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let number = count.as_mut().map(|count| count.add(conn)).transpose()?;
        let sharing: Vec<&Command> = jobs.iter().filter_map(Job::sharing).collect();
        let results = if number.is_some() && sharing.len() == jobs.len() {
            let done = apply_together(conn, rules, &sharing, contested)?;
            done.into_iter().map(|done| done.map(Outcome::Command)).collect()
        } else {
            one_by_one(conn, rules, jobs)?
        };
        Ok((number, results))
    }));
    // It may have written half of what it meant to, so this is no refusal: the transaction must go.
    caught.unwrap_or(Err(StorageError::Failed(diesel::result::Error::RollbackTransaction)))
}

fn one_by_one(conn: &mut AnyConn, rules: &Rules, jobs: &mut [Job]) -> Result<Results, StorageError> {
    let mut results = Vec::with_capacity(jobs.len());
    for job in jobs {
        let result = match &mut job.work {
            Work::Command { command, .. } => apply(conn, rules, command).map(Outcome::Command),
            Work::Task(task) => task.attempt(conn, rules).map(|()| Outcome::Task),
        };
        results.push(match result {
            Err(StorageError::Refused(refusal)) => Err(refusal.into()),
            result => Ok(result?),
        });
    }
    Ok(results)
}

fn all_away(count: usize, why: impl ToString) -> Results {
    let why = why.to_string();
    (0..count).map(|_| Err(StorageError::Away(why.clone()))).collect()
}
