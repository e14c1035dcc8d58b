//! Why a run did not come to its end, or ended badly.

use crate::output::Unsaid;

/// Why a run did not come to its end, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// What was asked for does not fit together.
    #[error("{0}")]
    Options(String),
    #[error("{0}")]
    Failed(String),
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
}

impl From<String> for LoadError {
    fn from(sentence: String) -> Self {
        Self::Failed(sentence)
    }
}
