//! Who is in a chat, as its actor remembers it.

use std::collections::HashMap;

use crate::model::{Role, Seq, UserId, event::MembersChanged};

/// The members of a chat with their roles, as of some change.
#[derive(Debug)]
pub struct Roster {
    as_of: Seq,
    roles: HashMap<UserId, Role>,
}

impl Roster {
    /// As storage has it; `as_of` is the chat's latest change by then.
    pub fn new(as_of: Seq, members: Vec<(UserId, Role)>) -> Self {
        Self { as_of, roles: members.into_iter().collect() }
    }

    /// Whether the user is in the chat.
    pub fn has(&self, user: UserId) -> bool {
        self.roles.contains_key(&user)
    }

    /// Follows a change, unless storage had it already.
    pub fn apply(&mut self, seq: Seq, change: &MembersChanged) {
        if seq <= self.as_of {
            return;
        }
        self.as_of = seq;
        for member in change.added.iter().chain(&change.changed) {
            self.roles.insert(member.user.id, member.role);
        }
        for user in &change.removed {
            self.roles.remove(user);
        }
    }
}
