//! Who is connected to other nodes, as those tell. A node that falls silent takes its users with it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    bus::{NodeId, PresenceNews},
    core::model::{Timestamp, UserId},
};

/// Whoever has no connection for so long is gone; who comes back before has not been away.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// A node that says nothing for so long is gone.
const LEASE: Duration = Duration::from_secs(15);

/// The shortest time between two questions to a node.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The users of the other nodes.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(HashMap<NodeId, Node>);

#[derive(Debug)]
struct Node {
    users: HashSet<UserId>,
    /// What it told so far; `None`: not everything.
    version: Option<u64>,
    /// When it was last asked for everything.
    asked: Option<Instant>,
    until: Instant,
}

/// What a node's news come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    pub came: Vec<UserId>,
    pub went: Vec<(UserId, Timestamp)>,
    /// Something that it told was lost: it is to tell everything.
    pub is_behind: bool,
}

impl Elsewhere {
    /// Whether a user is connected to any of them.
    pub(super) fn has(&self, user: UserId) -> bool {
        self.0.values().any(|node| node.users.contains(&user))
    }

    /// Takes in what a node tells.
    pub(super) fn hear(&mut self, from: NodeId, news: PresenceNews, now: Instant) -> Moves {
        let new = || Node { users: HashSet::new(), version: None, asked: None, until: now };
        let node = self.0.entry(from).or_insert_with(new);
        node.until = now + LEASE;
        if node.is_old(&news) {
            return Moves::default();
        }
        match news {
            PresenceNews::Came { user, version } => {
                let came = if node.users.insert(user) { vec![user] } else { Vec::new() };
                Moves { came, is_behind: !node.is_next(version) && node.asks(now), ..Moves::default() }
            }
            PresenceNews::Went { user, at, version } => {
                let went = if node.users.remove(&user) { vec![(user, at)] } else { Vec::new() };
                Moves { went, is_behind: !node.is_next(version) && node.asks(now), ..Moves::default() }
            }
            PresenceNews::Beat { version } => {
                Moves { is_behind: node.version != Some(version) && node.asks(now), ..Moves::default() }
            }
            PresenceNews::All { users, version } => {
                let users: HashSet<UserId> = users.into_iter().collect();
                let at = Timestamp::now();
                let came = users.difference(&node.users).copied().collect();
                let went = node.users.difference(&users).map(|user| (*user, at)).collect();
                (node.users, node.version) = (users, Some(version));
                Moves { came, went, is_behind: false }
            }
            PresenceNews::Farewell => {
                // Its users may be on their way to another node.
                node.until = now + GRACE;
                Moves::default()
            }
            PresenceNews::Ask { .. } => Moves::default(),
        }
    }

    /// Forgets nodes that have fallen silent. Returns their users.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<UserId> {
        let gone: Vec<NodeId> =
            self.0.iter().filter(|(_, node)| node.until <= now).map(|(id, _)| *id).collect();
        gone.iter().filter_map(|id| self.0.remove(id)).flat_map(|node| node.users).collect()
    }
}

impl Node {
    /// Whether something newer was told already.
    fn is_old(&self, news: &PresenceNews) -> bool {
        self.version.is_some_and(|known| match news {
            PresenceNews::Came { version, .. } | PresenceNews::Went { version, .. } => *version <= known,
            PresenceNews::All { version, .. } => *version < known,
            _ => false,
        })
    }

    /// Notes what was just told. Whether nothing is missing before it.
    fn is_next(&mut self, version: u64) -> bool {
        let is_next = self.version.is_some_and(|known| known + 1 == version);
        self.version = if is_next { Some(version) } else { None };
        is_next
    }

    /// Whether it is to be asked for everything: not more than once in a while.
    fn asks(&mut self, now: Instant) -> bool {
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

    fn came(user: UserId, version: u64) -> PresenceNews {
        PresenceNews::Came { user, version }
    }

    #[test]
    fn a_node_that_is_not_known_whole_tells_all() {
        let (mut elsewhere, node, now) = (Elsewhere::default(), NodeId::draw(), Instant::now());
        assert!(elsewhere.hear(node, came(ANN, 7), now).is_behind);
        let all = PresenceNews::All { users: vec![BEN], version: 8 };
        let moves = elsewhere.hear(node, all, now);
        assert_eq!((moves.came, moves.went.len(), moves.is_behind), (vec![BEN], 1, false));
        assert!(!elsewhere.hear(node, came(ANN, 9), now).is_behind);
        assert!(!elsewhere.hear(node, PresenceNews::Beat { version: 9 }, now).is_behind);
        // It was asked but now.
        let beat = || PresenceNews::Beat { version: 10 };
        assert!(!elsewhere.hear(node, beat(), now).is_behind);
        assert!(elsewhere.hear(node, beat(), now + ASK_EVERY).is_behind);
        // Old news, told once more.
        let old = PresenceNews::Went { user: ANN, at: Timestamp::now(), version: 8 };
        assert_eq!(elsewhere.hear(node, old, now), Moves::default());
        assert!(elsewhere.has(ANN) && elsewhere.has(BEN));
    }

    #[test]
    fn users_go_with_a_silent_node_and_a_little_after_one_that_says_farewell() {
        let (mut elsewhere, one, other, now) =
            (Elsewhere::default(), NodeId::draw(), NodeId::draw(), Instant::now());
        elsewhere.hear(one, came(ANN, 1), now);
        elsewhere.hear(other, came(BEN, 1), now);
        elsewhere.hear(other, PresenceNews::Farewell, now);
        assert!(elsewhere.expire(now + GRACE - Duration::from_millis(1)).is_empty());
        assert_eq!(elsewhere.expire(now + GRACE), [BEN]);
        assert_eq!(elsewhere.expire(now + LEASE), [ANN]);
        assert!(!elsewhere.has(ANN));
    }
}
