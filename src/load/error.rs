//! Errors of a run.

use crate::output::OutputError;

/// Why a run failed or was not completed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The options contradict each other.
    #[error("{0}")]
    Options(String),
    #[error("{0}")]
    Failed(String),
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl From<String> for LoadError {
    fn from(sentence: String) -> Self {
        Self::Failed(sentence)
    }
}
