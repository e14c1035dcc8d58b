//! Who may begin to write to whom, and where.

use clap::ValueEnum;
use serde::Serialize;
use utoipa::ToSchema;

use super::Refusal;

/// Whom people who are not staff may look for, begin chats with and bring into chats. Staff may do so with everybody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Contacts {
    /// Everybody.
    #[default]
    All,
    /// Nobody: only staff begin chats and add people.
    StaffOnlyStart,
    /// Those with whom they share a chat.
    SharedChat,
}

/// Who makes the rooms on a host's objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ObjectRooms {
    /// Everybody makes public ones, staff private ones too.
    #[default]
    Anyone,
    /// Only staff.
    Staff,
}

impl ObjectRooms {
    /// What somebody who is not staff is told who would make such a room.
    pub fn makes(self, is_public: bool) -> Result<(), Refusal> {
        match self {
            Self::Anyone if is_public => Ok(()),
            Self::Anyone => Err(Refusal::NotAllowed("Only staff may make a private room on an object.")),
            Self::Staff => Err(Refusal::NotAllowed("Only staff may make rooms on objects here.")),
        }
    }
}

impl Contacts {
    /// What somebody who is not staff is told of a chat with others, whoever they are.
    pub fn begins(self) -> Result<(), Refusal> {
        match self {
            Self::All | Self::SharedChat => Ok(()),
            Self::StaffOnlyStart => {
                Err(Refusal::NotAllowed("Only staff may start chats and add people here."))
            }
        }
    }

    /// The same of people with whom they share no chat.
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
