//! Users connected to other nodes, as those nodes report them. When a node's lease expires, its users go
//! offline.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use super::grace_period::GRACE;
use crate::{
    bus::{NodeId, PresenceMessage},
    core::model::{Timestamp, UserId},
};

/// Lease of a node: without a message for this long, the node is considered gone.
const LEASE: Duration = Duration::from_secs(15);

/// Shortest time between two snapshot requests to a node.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The users of the other nodes, by node.
#[derive(Debug, Default)]
pub(super) struct RemotePresence(HashMap<NodeId, Node>);

#[derive(Debug)]
struct Node {
    users: HashSet<UserId>,
    /// Version of `users`; `None`: incomplete, a snapshot is needed.
    version: Option<u64>,
    /// When a snapshot was last requested.
    asked: Option<Instant>,
    lease_until: Instant,
}

/// Effect of a node's message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    pub came: Vec<UserId>,
    pub went: Vec<(UserId, Timestamp)>,
    /// Messages were lost: request a snapshot.
    pub is_behind: bool,
}

impl RemotePresence {
    /// Returns whether a user is connected to any other node.
    pub(super) fn has(&self, user: UserId) -> bool {
        self.0.values().any(|node| node.users.contains(&user))
    }

    /// Applies a node's message and renews its lease.
    pub(super) fn hear(&mut self, from: NodeId, message: PresenceMessage, now: Instant) -> Moves {
        let new = || Node { users: HashSet::new(), version: None, asked: None, lease_until: now };
        let node = self.0.entry(from).or_insert_with(new);
        node.lease_until = now + LEASE;
        if node.is_old(&message) {
            return Moves::default();
        }
        match message {
            PresenceMessage::Came { user, version, .. } => {
                let came = if node.users.insert(user) { vec![user] } else { Vec::new() };
                let is_behind = !node.is_next(version) && node.needs_snapshot(now);
                Moves { came, is_behind, ..Moves::default() }
            }
            PresenceMessage::Went { user, at, version, .. } => {
                let went = if node.users.remove(&user) { vec![(user, at)] } else { Vec::new() };
                let is_behind = !node.is_next(version) && node.needs_snapshot(now);
                Moves { went, is_behind, ..Moves::default() }
            }
            PresenceMessage::Heartbeat { version } => {
                let is_behind = node.version != Some(version) && node.needs_snapshot(now);
                Moves { is_behind, ..Moves::default() }
            }
            PresenceMessage::All { users, version } => {
                let users: HashSet<UserId> = users.into_iter().collect();
                let at = Timestamp::now();
                let came = users.difference(&node.users).copied().collect();
                let went = node.users.difference(&users).map(|user| (*user, at)).collect();
                (node.users, node.version) = (users, Some(version));
                Moves { came, went, is_behind: false }
            }
            PresenceMessage::Leaving => {
                // Its users may be reconnecting to another node.
                node.lease_until = now + GRACE;
                Moves::default()
            }
            PresenceMessage::Ask { .. } => Moves::default(),
        }
    }

    /// Removes nodes whose lease has expired. Returns their users.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<UserId> {
        let gone: Vec<NodeId> =
            self.0.iter().filter(|(_, node)| node.lease_until <= now).map(|(id, _)| *id).collect();
        gone.iter().filter_map(|id| self.0.remove(id)).flat_map(|node| node.users).collect()
    }
}

impl Node {
    /// Returns whether the message is older than the known version.
    fn is_old(&self, message: &PresenceMessage) -> bool {
        self.version.is_some_and(|known| match message {
            PresenceMessage::Came { version, .. } | PresenceMessage::Went { version, .. } => {
                *version <= known
            }
            PresenceMessage::All { version, .. } => *version < known,
            _ => false,
        })
    }

    /// Applies a version. Returns whether no message is missing before it.
    fn is_next(&mut self, version: u64) -> bool {
        let is_next = self.version.is_some_and(|known| known + 1 == version);
        self.version = if is_next { Some(version) } else { None };
        is_next
    }

    /// Returns whether to request a snapshot now; at most once per [`ASK_EVERY`].
    fn needs_snapshot(&mut self, now: Instant) -> bool {
        let is_due = self.asked.is_none_or(|asked| now.duration_since(asked) >= ASK_EVERY);
        if is_due {
            self.asked = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId(1);
    const BEN: UserId = UserId(2);

    fn came(user: UserId, version: u64) -> PresenceMessage {
        PresenceMessage::Came { user, version, partners: None }
    }

    #[test]
    fn a_node_whose_users_are_not_all_known_is_asked_for_a_snapshot() {
        let (mut remote, node, now) = (RemotePresence::default(), NodeId::draw(), Instant::now());
        assert!(remote.hear(node, came(ANN, 7), now).is_behind);
        let all = PresenceMessage::All { users: vec![BEN], version: 8 };
        let moves = remote.hear(node, all, now);
        assert_eq!((moves.came, moves.went.len(), moves.is_behind), (vec![BEN], 1, false));
        assert!(!remote.hear(node, came(ANN, 9), now).is_behind);
        assert!(!remote.hear(node, PresenceMessage::Heartbeat { version: 9 }, now).is_behind);
        // A snapshot was requested just now.
        let beat = || PresenceMessage::Heartbeat { version: 10 };
        assert!(!remote.hear(node, beat(), now).is_behind);
        assert!(remote.hear(node, beat(), now + ASK_EVERY).is_behind);
        // A repeated old message.
        let old = PresenceMessage::Went { user: ANN, at: Timestamp::now(), version: 8, partners: None };
        assert_eq!(remote.hear(node, old, now), Moves::default());
        assert!(remote.has(ANN) && remote.has(BEN));
    }

    #[test]
    fn users_go_offline_with_a_silent_node_and_shortly_after_one_that_leaves() {
        let (mut remote, one, other, now) =
            (RemotePresence::default(), NodeId::draw(), NodeId::draw(), Instant::now());
        remote.hear(one, came(ANN, 1), now);
        remote.hear(other, came(BEN, 1), now);
        remote.hear(other, PresenceMessage::Leaving, now);
        assert!(remote.expire(now + GRACE - Duration::from_millis(1)).is_empty());
        assert_eq!(remote.expire(now + GRACE), [BEN]);
        assert_eq!(remote.expire(now + LEASE), [ANN]);
        assert!(!remote.has(ANN));
    }
}
