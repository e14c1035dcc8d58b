//! Which messages of a chat notify a member.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The messages of a chat of which clients notify a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = NotificationLevel)]
pub enum NotifyLevel {
    #[default]
    All,
    /// Those that mention the member.
    Mentions,
    None,
}

impl NotifyLevel {
    const ALL: [Self; 3] = [Self::All, Self::Mentions, Self::None];

    /// Returns the name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::None => "none",
        }
    }

    /// Parses the result of [`NotifyLevel::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_as_it_is_written() {
        for level in NotifyLevel::ALL {
            assert_eq!(NotifyLevel::parse(level.as_str()), Some(level));
            assert_eq!(serde_json::to_string(&level).unwrap(), format!("\"{}\"", level.as_str()));
        }
        assert_eq!(NotifyLevel::parse("All"), None);
    }
}
