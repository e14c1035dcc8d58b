//! Dm partners of the users whose presence changes: read once, by the node that the users are connected to.

use std::collections::HashMap;

use crate::{
    core::model::UserId,
    storage::{ReadPool, tables::dm_partners},
};

/// Most partners that a message to the other nodes lists. Of users with more, each node reads them itself.
const MAX_LISTED: usize = 256;

/// Known dm partners by user.
#[derive(Debug, Default)]
pub(super) struct Partners(HashMap<UserId, Vec<UserId>>);

impl Partners {
    /// Reads the partners of users that are not known yet. If storage fails, they stay unknown.
    pub(super) async fn read(&mut self, readers: &ReadPool, users: impl Iterator<Item = UserId>) {
        let mut unknown: Vec<UserId> = users.filter(|user| !self.0.contains_key(user)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return;
        }
        let ids = unknown.clone();
        if let Ok(pairs) = readers.query(move |conn| dm_partners::of(conn, &ids)).await {
            self.0.extend(unknown.into_iter().map(|user| (user, Vec::new())));
            for (user, partner) in pairs {
                self.0.entry(user).or_default().push(partner);
            }
        }
    }

    /// Sets the partners of a user, as another node has read them. `None`: it has not.
    pub(super) fn set(&mut self, user: UserId, partners: Option<Vec<UserId>>) {
        match partners {
            Some(partners) => self.0.insert(user, partners),
            None => self.0.remove(&user),
        };
    }

    /// Returns the partners of a user, if known.
    pub(super) fn of(&self, user: UserId) -> &[UserId] {
        self.0.get(&user).map_or(&[], Vec::as_slice)
    }

    /// Returns the partners of a user for the other nodes. `None`: unknown, or too many.
    pub(super) fn listed(&self, user: UserId) -> Option<Vec<UserId>> {
        self.0.get(&user).filter(|partners| partners.len() <= MAX_LISTED).cloned()
    }
}
