//! Unread mentions of users that were counted for an event.

use crate::core::model::{Seq, UserId};

/// The unread mentions of users as they were at an event.
#[derive(Debug, Default)]
pub(super) struct MentionCounts {
    pub(super) seq: Seq,
    /// The users asked for, sorted by id, each with the number of unread mentions; `None`: not a member.
    pub(super) of: Vec<(UserId, Option<i64>)>,
}

impl MentionCounts {
    /// Returns whether a user was asked for.
    pub(super) fn has(&self, user: UserId) -> bool {
        self.of.binary_search_by_key(&user, |(id, _)| *id).is_ok()
    }
}
