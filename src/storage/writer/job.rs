//! What is to be written, and who is told what came of it.

use std::time::Instant;

use crate::{
    core::model::{ChatId, Command, Refusal, event::Done},
    storage::{AnyConn, Asker, Rules, StorageError, commands::can_share},
};

/// Something to be written. It may be attempted more than once; it is told one result.
pub(super) struct Job {
    /// What it is counted as.
    pub kind: &'static str,
    /// Whose turn it takes.
    pub asker: Asker,
    pub work: Work,
    /// When whoever asked has been told that the database is away. What has not been done by then is not done any more.
    pub expires: Option<Instant>,
}

pub(super) enum Work {
    Command { command: Command, settle: Box<dyn FnOnce(Result<Done, Refusal>) + Send> },
    Task(Box<dyn Task>),
}

/// Any other work; it keeps what it comes to.
pub(super) trait Task: Send {
    /// Writes, inside a transaction.
    fn attempt(&mut self, conn: &mut AnyConn, rules: &Rules) -> Result<(), StorageError>;
    /// Tells the result, after the commit.
    fn settle(self: Box<Self>, result: Result<(), StorageError>);
}

/// What a job came to. `None`: of a task, which has kept that itself.
pub(super) type Outcome = Option<Done>;

impl Job {
    /// The chat that it is about, where it is about one.
    pub fn chat(&self) -> Option<ChatId> {
        match &self.work {
            Work::Command { command, .. } => Some(command.chat),
            Work::Task(_) => None,
        }
    }

    /// The command, where it may share its transaction with others.
    pub fn sharing(&self) -> Option<&Command> {
        match &self.work {
            Work::Command { command, .. } if can_share(command) => Some(command),
            _ => None,
        }
    }

    pub fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Tells what became of it, once that is durable.
    pub fn settle(self, result: Result<Outcome, StorageError>) {
        match (self.work, result) {
            (Work::Task(task), result) => task.settle(result.map(drop)),
            (Work::Command { settle, .. }, Ok(done)) => settle(done.ok_or(Refusal::Internal)),
            (Work::Command { settle, .. }, Err(error)) => settle(Err(error.into_refusal())),
        }
    }
}

/// A task made of two functions.
pub(super) struct Closure<T, F, S> {
    pub work: F,
    pub value: Option<T>,
    pub settle: S,
}

impl<T: Send, F, S> Task for Closure<T, F, S>
where
    F: FnMut(&mut AnyConn, &Rules) -> Result<T, StorageError> + Send,
    S: FnOnce(Result<T, Refusal>) + Send,
{
    fn attempt(&mut self, conn: &mut AnyConn, rules: &Rules) -> Result<(), StorageError> {
        self.value = Some((self.work)(conn, rules)?);
        Ok(())
    }

    fn settle(self: Box<Self>, result: Result<(), StorageError>) {
        let Self { value, settle, .. } = *self;
        let result = result.map_err(StorageError::into_refusal);
        settle(result.and_then(|()| value.ok_or(Refusal::Internal)));
    }
}
