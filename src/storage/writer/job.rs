//! Write jobs, and the callbacks that receive their results.

use std::time::Instant;

use crate::{
    core::{
        log_context::LogContext,
        model::{ChatId, Command, Refusal, Seq, event::Done},
    },
    storage::{
        AnyConn, Principal, StorageError, StoragePolicy,
        commands::{Batched, can_share},
    },
};

/// A queued write. It may be attempted more than once; its callback receives exactly one result.
pub(super) struct Job {
    /// Label of the job in the metrics.
    pub kind: &'static str,
    /// The principal on whose behalf the job runs. The queue is fair between principals.
    pub principal: Principal,
    pub work: Work,
    /// Log context of the request that queued the job.
    pub log_context: LogContext,
    /// Deadline: afterwards the caller has got its timeout error, and the job is dropped.
    pub expires: Option<Instant>,
}

pub(super) enum Work {
    Command {
        command: Command,
        /// The chat's `members_seq` at which its actor has permitted the command.
        decided_at: Option<Seq>,
        complete: Box<dyn FnOnce(Result<Done, Refusal>) + Send>,
    },
    Task(Box<dyn Task>),
}

/// Any write that is not a chat command. The task keeps its own result until it is delivered.
pub(super) trait Task: Send {
    /// Writes inside a transaction. May be called again after a rollback.
    fn attempt(&mut self, conn: &mut AnyConn, policy: &StoragePolicy) -> Result<(), StorageError>;
    /// Delivers the result, after the commit.
    fn complete(self: Box<Self>, result: Result<(), StorageError>);
}

/// Result of a job. `None` for a task, which keeps its result itself.
pub(super) type JobOutcome = Option<Done>;

impl Job {
    /// Returns the chat that the job writes to. `None` for a task.
    pub(super) fn chat(&self) -> Option<ChatId> {
        match &self.work {
            Work::Command { command, .. } => Some(command.chat),
            Work::Task(_) => None,
        }
    }

    /// Returns the command if it may be batched with others in one transaction (see [`can_share`]).
    pub(super) fn sharing(&self) -> Option<Batched<'_>> {
        match &self.work {
            Work::Command { command, decided_at, .. } if can_share(command) => {
                Some(Batched { command, decided_at: *decided_at })
            }
            _ => None,
        }
    }

    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Delivers the result to the job's callback. Called only once the result is durable.
    pub(super) fn complete(self, result: Result<JobOutcome, StorageError>) {
        match (self.work, result) {
            (Work::Task(task), result) => task.complete(result.map(drop)),
            (Work::Command { complete, .. }, Ok(done)) => complete(done.ok_or(Refusal::Internal)),
            (Work::Command { complete, .. }, Err(error)) => complete(Err(error.into_refusal())),
        }
    }
}

/// A task made of two closures: one writes, the other receives the result.
pub(super) struct Closure<T, F, S> {
    pub work: F,
    pub value: Option<T>,
    pub complete: S,
}

impl<T: Send, F, S> Task for Closure<T, F, S>
where
    F: FnMut(&mut AnyConn, &StoragePolicy) -> Result<T, StorageError> + Send,
    S: FnOnce(Result<T, Refusal>) + Send,
{
    fn attempt(&mut self, conn: &mut AnyConn, policy: &StoragePolicy) -> Result<(), StorageError> {
        self.value = Some((self.work)(conn, policy)?);
        Ok(())
    }

    fn complete(self: Box<Self>, result: Result<(), StorageError>) {
        let Self { value, complete, .. } = *self;
        let result = result.map_err(StorageError::into_refusal);
        complete(result.and_then(|()| value.ok_or(Refusal::Internal)));
    }
}
