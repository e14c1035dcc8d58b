//! A writing connection: transactions, what of them is tried again, and another connection where this one is lost.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    checkpointer::{Checkpointer, Commits, leave_to_thread},
    in_doubt::Count,
    job::{Job, Outcome, Work},
    shared::State,
    watch::Watch,
};
use crate::{
    core::model::Command,
    storage::{
        Access, AnyConn, DatabaseUrl, OpenError, Rules, StorageError, StorageMeter,
        commands::{Times, apply, apply_together},
        db::{
            session,
            transaction::{self, TRIES},
        },
        tables::locks::Contested,
    },
};

/// What came of each job.
pub(super) type Results = Vec<Result<Outcome, StorageError>>;

/// Said of jobs that nobody waits for any more.
pub(super) const TOO_LATE: &str = "it was not done in time";

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
    meter: Option<Arc<StorageMeter>>,
    watch: Watch,
    /// On SQLite.
    commits: Option<Commits>,
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

/// What to do about it.
enum Next {
    /// Nothing: it was stored after all.
    Done(Results),
    Again(StorageError),
    /// Each job for itself.
    Alone(StorageError),
    Away(StorageError),
}

impl Line {
    pub fn open(
        url: &DatabaseUrl,
        state: Arc<State>,
        meter: Option<Arc<StorageMeter>>,
        checkpointer: Option<&Checkpointer>,
    ) -> Result<Self, OpenError> {
        let count = matches!(url, DatabaseUrl::Postgres(_)).then(Count::drawn);
        let conn = open(url, count.as_ref())?;
        let watch = Watch::new(state.clone(), meter.clone());
        let commits = checkpointer.and_then(Checkpointer::commits);
        Ok(Self { url: url.clone(), conn, count, state, meter, watch, commits })
    }

    /// Says so where some errors of the database's will not be understood.
    pub fn mind_the_language(&mut self) {
        if !session::speaks_english(&mut self.conn).unwrap_or(true) {
            tracing::warn!(
                "the database tells its errors in another language than English, so some that pass will be answered \
                 with 500; have its superuser say: ALTER ROLE ... SET lc_messages = 'C'"
            );
        }
    }

    /// Carries out jobs in one transaction. Where that fails, each is tried alone, so that a failure costs only the job
    /// that fails. `asked`: what becomes of chats that others have locked. A job that shares its transaction with nobody
    /// waits for its locks in any case, once.
    pub fn carry_out(&mut self, rules: &Rules, jobs: &mut [Job], asked: Contested) -> Results {
        let shares = jobs.iter().any(|job| job.sharing().is_some());
        let mut contested = if shares { asked } else { Contested::LeftOut };
        let mut tries = TRIES;
        loop {
            let undone = match self.together(rules, jobs, contested) {
                Ok(results) => return results,
                Err(undone) => undone,
            };
            tries -= 1;
            match self.mend(undone, &mut contested) {
                Next::Done(results) => return results,
                Next::Away(error) => return all_away(jobs.len(), error),
                Next::Again(_) if tries > 0 => {}
                Next::Again(error) | Next::Alone(error) => return self.alone(rules, jobs, error, asked),
            }
        }
    }

    /// Sees to it that a transaction that came to nothing can be tried again, where that may help.
    fn mend(&mut self, undone: Undone, contested: &mut Contested) -> Next {
        match undone {
            Undone::Expired => Next::Alone(StorageError::Away(TOO_LATE.to_owned())),
            Undone::InDoubt(number, results) => match self.was_committed(number) {
                Some(true) => Next::Done(results),
                Some(false) => Next::Again(StorageError::Away("the connection was lost".to_owned())),
                None => Next::Away(StorageError::Away("nobody knows what became of a commit".to_owned())),
            },
            Undone::NotBegun(error) | Undone::Failed(error) if session::is_lost(&mut self.conn) => {
                self.reopen().map_or_else(|error| Next::Away(error.into()), |()| Next::Again(error))
            }
            // Trying each alone would only take longer to fail.
            Undone::NotBegun(error) => Next::Away(error),
            Undone::Failed(error @ StorageError::Clashed(_)) => Next::Again(error),
            Undone::Failed(error @ StorageError::Locked(_)) if *contested == Contested::WaitedFor => {
                // They have waited for long enough.
                *contested = Contested::LeftOut;
                Next::Again(error)
            }
            Undone::Failed(error) => Next::Alone(error),
        }
    }

    /// Each job in a transaction of its own; a single one has had that.
    fn alone(
        &mut self,
        rules: &Rules,
        jobs: &mut [Job],
        error: StorageError,
        contested: Contested,
    ) -> Results {
        if jobs.len() == 1 {
            return vec![Err(error)];
        }
        let singles = jobs.chunks_mut(1);
        singles.flat_map(|job| self.carry_out(rules, job, contested)).collect()
    }

    /// All jobs in one transaction.
    fn together(&mut self, rules: &Rules, jobs: &mut [Job], contested: Contested) -> Result<Results, Undone> {
        expect_in_time(jobs)?;
        let begun = Instant::now();
        let conn = &mut self.conn;
        let number = match &mut self.count {
            None => transaction::begin(conn).map(|()| None),
            Some(count) => count.begin(conn).map(Some),
        };
        let number = number.map_err(Undone::NotBegun)?;
        let attempted = attempt_all(conn, rules, jobs, contested, &mut self.watch).map_err(Undone::Failed);
        let attempted = attempted.and_then(|results| expect_in_time(jobs).map(|()| results));
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
            (Err(error), _) => Ok(all_away(jobs.len(), error)),
        }
    }

    fn reopen(&mut self) -> Result<(), OpenError> {
        self.conn = open(&self.url, self.count.as_ref())?;
        tracing::warn!("the connection to the database was lost; there is another one");
        Ok(())
    }

    /// Waits until the database can tell whether a transaction was committed; `None` where it cannot in time. Whoever
    /// asked is told in time that nobody knows, but who listens is to hear of what has happened.
    fn was_committed(&mut self, number: i64) -> Option<bool> {
        let deadline = Instant::now() + DOUBT_LASTS;
        while Instant::now() < deadline && !self.state.is_stopping.load(Ordering::Relaxed) {
            if (!session::is_lost(&mut self.conn) || self.reopen().is_ok())
                && let Ok(known) = self.count.as_ref()?.was_committed(&mut self.conn, number)
            {
                return Some(known);
            }
            std::thread::sleep(DOUBT_PAUSE);
        }
        None
    }
}

fn open(url: &DatabaseUrl, count: Option<&Count>) -> Result<AnyConn, OpenError> {
    let mut conn = url.open_to_serve(Access::Write)?;
    if let Some(count) = count {
        count.prepare(&mut conn).map_err(|error| OpenError::new(&url.name(), error))?;
    }
    if let DatabaseUrl::Sqlite(_) = url {
        leave_to_thread(&mut conn).map_err(|error| OpenError::new(&url.name(), error))?;
    }
    Ok(conn)
}

fn expect_in_time(jobs: &[Job]) -> Result<(), Undone> {
    let now = Instant::now();
    if jobs.iter().any(|job| job.has_expired(now)) { Err(Undone::Expired) } else { Ok(()) }
}

/// Writes what the jobs are about. A refusal is a result; any other failure is the whole transaction's.
fn attempt_all(
    conn: &mut AnyConn,
    rules: &Rules,
    jobs: &mut [Job],
    contested: Contested,
    watch: &mut Watch,
) -> Result<Results, StorageError> {
    let caught = catch_unwind(AssertUnwindSafe(|| in_turn(conn, rules, jobs, contested, watch)));
    // It may have written half of what it meant to, so this is no refusal: the transaction must go.
    caught.unwrap_or(Err(StorageError::Failed(diesel::result::Error::RollbackTransaction)))
}

/// Those next to each other that can be carried out together are.
fn in_turn(
    conn: &mut AnyConn,
    rules: &Rules,
    mut jobs: &mut [Job],
    contested: Contested,
    watch: &mut Watch,
) -> Result<Results, StorageError> {
    let mut results = Vec::with_capacity(jobs.len());
    while !jobs.is_empty() {
        let together: Vec<&Command> = jobs.iter().map_while(Job::sharing).collect();
        let count = together.len().max(1);
        if together.is_empty() {
            let begun = Instant::now();
            let result = alone(conn, rules, &mut jobs[0]);
            watch.took(jobs[0].kind, jobs[0].chat(), begun.elapsed());
            results.push(result?);
        } else {
            let mut times = Times::default();
            let done = apply_together(conn, rules, &together, contested, &mut times);
            watch.took_together(jobs, &times);
            results.extend(done?.into_iter().map(|done| done.map(Some)));
        }
        jobs = &mut jobs[count..];
    }
    Ok(results)
}

fn alone(
    conn: &mut AnyConn,
    rules: &Rules,
    job: &mut Job,
) -> Result<Result<Outcome, StorageError>, StorageError> {
    let result = match &mut job.work {
        Work::Command { command, .. } => apply(conn, rules, command).map(Some),
        Work::Task(task) => task.attempt(conn, rules).map(|()| None),
    };
    match result {
        Err(StorageError::Refused(refusal)) => Ok(Err(refusal.into())),
        result => result.map(Ok),
    }
}

fn all_away(count: usize, why: impl ToString) -> Results {
    let why = why.to_string();
    (0..count).map(|_| Err(StorageError::Away(why.clone()))).collect()
}
