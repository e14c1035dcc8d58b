//! What happens to accounts and credentials, a line each in the log: who did what to whom, and from where.
//!
//! No line has a secret, or a text in which one may stand, such as a username that nobody has.

use std::fmt::Display;

use crate::{
    core::model::{UserCard, UserId},
    storage::tables::users::User,
};

/// The target of these lines, for filters: `GREENROOM_LOG=warn,greenroom::audit=info`.
pub const TARGET: &str = "greenroom::audit";

/// Somebody in a line.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    pub id: UserId,
    pub name: &'a str,
}

impl<'a> From<&'a UserCard> for Who<'a> {
    fn from(card: &'a UserCard) -> Self {
        Self { id: card.id, name: &card.username }
    }
}

impl<'a> From<&'a User> for Who<'a> {
    fn from(user: &'a User) -> Self {
        Self { id: user.id(), name: &user.username }
    }
}

/// Logs what somebody did for themselves.
pub fn note<'a>(what: &str, by: impl Into<Option<Who<'a>>>, from: impl Display) {
    let by = by.into();
    let (name, id) = (by.map(|who| who.name), by.map(|who| who.id.0));
    tracing::info!(target: TARGET, user = name, user_id = id, %from, "{what}");
}

/// Logs what somebody did to another.
pub fn note_done_to(what: &str, whom: Who<'_>, by: Who<'_>, from: impl Display) {
    let (user, user_id) = (whom.name, whom.id.0);
    tracing::info!(target: TARGET, user, user_id, by = by.name, by_id = by.id.0, %from, "{what}");
}
