//! Errors of commands.

use std::process::ExitCode;

use crate::{
    core::model::{FieldErrors, Refusal},
    load::error::LoadError,
    output::OutputError,
    server::{StopError, error::StartError},
    storage::{OpenError, StorageError},
};

/// Why a command failed, in one sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Stop(#[from] StopError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Storage(StorageError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl From<StorageError> for CliError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Refused(Refusal::Invalid(errors)) => errors.into(),
            other => Self::Storage(other),
        }
    }
}

impl From<FieldErrors> for CliError {
    fn from(errors: FieldErrors) -> Self {
        let sentences: Vec<String> =
            errors.iter().map(|(field, sentence)| format!("{field}: {sentence}")).collect();
        Self::Refused(sentences.join(" "))
    }
}

pub(super) fn failed(error: &CliError) -> ExitCode {
    note!("greenroom: {error}");
    match error {
        CliError::Start(StartError::ManyNodesOnSqlite) | CliError::Load(LoadError::Options(_)) => {
            ExitCode::from(2)
        }
        CliError::Stop(StopError::Shared { .. }) => ExitCode::from(3),
        _ => ExitCode::FAILURE,
    }
}

/// Returns the reason of a storage error. It may be about another file, so it does not say that the database
/// is unavailable.
pub(super) fn reason(error: &StorageError) -> String {
    match error {
        StorageError::Unavailable(reason) => reason.clone(),
        other => other.to_string(),
    }
}
