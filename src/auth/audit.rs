//! Audit log: one line per change of an account or a credential, with the actor, the user and the client
//! address.
//!
//! No line contains a secret, or text that may be one, such as an unknown username.

use std::fmt::Display;

use crate::{
    core::model::{UserCard, UserId},
    storage::tables::users::User,
};

/// Log target of audit lines, for filters: `GREENROOM_LOG=warn,greenroom::audit=info`.
pub const TARGET: &str = "greenroom::audit";

/// A user in an audit line.
#[derive(Debug, Clone, Copy)]
pub struct AuditUser<'a> {
    pub id: UserId,
    pub name: &'a str,
}

impl<'a> From<&'a UserCard> for AuditUser<'a> {
    fn from(card: &'a UserCard) -> Self {
        Self { id: card.id, name: &card.username }
    }
}

impl<'a> From<&'a User> for AuditUser<'a> {
    fn from(user: &'a User) -> Self {
        Self { id: user.id(), name: &user.username }
    }
}

/// Logs an action of a user on their own account; `by` is `None` if the user is unknown.
pub fn note<'a>(what: &str, by: impl Into<Option<AuditUser<'a>>>, from: impl Display) {
    let by = by.into();
    let (name, id) = (by.map(|who| who.name), by.map(|who| who.id.0));
    tracing::info!(target: TARGET, user = name, user_id = id, %from, "{what}");
}

/// Logs an action of user `by` on the account of user `whom`.
pub fn note_done_to(what: &str, whom: AuditUser<'_>, by: AuditUser<'_>, from: impl Display) {
    let (user, user_id) = (whom.name, whom.id.0);
    tracing::info!(target: TARGET, user, user_id, by = by.name, by_id = by.id.0, %from, "{what}");
}
