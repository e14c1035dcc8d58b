//! Guests: users without an account. Rooms decide how far they are open to them.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether visitors may become guests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Guests {
    /// Nobody becomes a guest. Existing ones stay.
    #[default]
    Closed,
    /// Everyone may.
    Open,
}

/// What guests may do in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GuestAccess {
    /// They do not see it.
    #[default]
    None,
    /// They read it, without joining it.
    Read,
    /// They may also join it, and write.
    Write,
}

impl GuestAccess {
    /// Returns the name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// Parses the result of [`GuestAccess::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Read, Self::Write].into_iter().find(|access| access.as_str() == text)
    }
}
