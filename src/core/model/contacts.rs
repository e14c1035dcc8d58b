//! Policies for starting chats: with which people, and on which objects.

use clap::ValueEnum;
use serde::Serialize;
use utoipa::ToSchema;

use super::Refusal;

/// Whom people who are not staff may search for, begin chats with and add to chats. Staff may do so with all
/// users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Contacts {
    /// All users.
    #[default]
    All,
    /// No one: only staff begin chats and add people.
    StaffOnlyStart,
    /// Users with whom they share a chat.
    SharedChat,
}

/// Who creates the rooms on a host's objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ObjectRooms {
    /// All users create public ones, staff private ones too.
    #[default]
    Anyone,
    /// Only staff.
    Staff,
}

impl ObjectRooms {
    /// Checks whether a user who is not staff may create a room on an object.
    pub fn makes(self, is_public: bool) -> Result<(), Refusal> {
        match self {
            Self::Anyone if is_public => Ok(()),
            Self::Anyone => Err(Refusal::NotAllowed("Only staff may make a private room on an object.")),
            Self::Staff => Err(Refusal::NotAllowed("Only staff may make rooms on objects here.")),
        }
    }
}

impl Contacts {
    /// Checks whether a user who is not staff may begin chats with other users at all.
    pub fn begins(self) -> Result<(), Refusal> {
        match self {
            Self::All | Self::SharedChat => Ok(()),
            Self::StaffOnlyStart => {
                Err(Refusal::NotAllowed("Only staff may start chats and add people here."))
            }
        }
    }

    /// Checks whether a user who is not staff may begin chats with users with whom they share none.
    pub fn meets_strangers(self) -> Result<(), Refusal> {
        match self {
            Self::All => Ok(()),
            Self::StaffOnlyStart => self.begins(),
            Self::SharedChat => {
                let why = "You may only write to and add people with whom you share a chat.";
                Err(Refusal::NotAllowed(why))
            }
        }
    }
}
