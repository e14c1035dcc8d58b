//! Presence across all nodes. Users get an event when a dm partner connects, disconnects, or changes name or
//! picture.

mod grace_period;
mod partners;
mod recent_dms;
mod remote_nodes;
mod renamed;
pub mod task;

use std::{
    collections::{HashMap, HashSet},
    fmt::{self, Debug, Formatter},
    sync::Arc,
};

use bytestring::ByteString;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

use recent_dms::RecentDms;
use remote_nodes::RemotePresence;

use crate::{
    bus::{Bus, BusMessage, Channel, Listening, NodeId, PresenceMessage},
    core::{
        model::{Refusal, Timestamp, UserId},
        sync::Mutex,
    },
    hub::registry::ConnectionObserver,
    storage::{ReadPool, WriterHandle, tables::dm_partners},
};

/// Online users of all nodes, and the queue of presence changes.
pub struct Presence {
    online: Mutex<Online>,
    bus: Arc<Bus>,
    /// Users connected to this node, each with the subscription to its channel if there are other nodes.
    connected: Mutex<HashMap<UserId, Option<Listening>>>,
    /// Users with a queued connection change, deduplicated: each user is queued at most once.
    moved: Mutex<HashSet<UserId>>,
    changes: UnboundedSender<PresenceChange>,
    readers: ReadPool,
    writer: WriterHandle,
}

/// Online users of this node and of the others.
#[derive(Debug, Default)]
struct Online {
    here: HashSet<UserId>,
    /// Version of this node's user set; every published change increments it.
    version: u64,
    remote: RemotePresence,
    /// New dms of users connected to this node.
    recent_dms: RecentDms,
}

/// A user whose online state has changed.
#[derive(Debug)]
struct Moved {
    user: UserId,
    is_online: bool,
    at: Timestamp,
    /// The user's dm partners, if known.
    partners: Option<Vec<UserId>>,
}

impl Online {
    fn has(&self, user: UserId) -> bool {
        self.here.contains(&user) || self.remote.has(user)
    }
}

/// A change that users may have to be notified of.
#[derive(Debug)]
pub enum PresenceChange {
    /// A user's first connection opened, or the last one closed.
    Moved(UserId),
    /// A new dm between two users.
    NewDm(UserId, UserId),
    /// A rendered `user_updated` event, for the user and all dm partners.
    ProfileChanged(UserId, ByteString),
    /// A presence message of another node.
    RemotePresence(NodeId, PresenceMessage),
}

impl Presence {
    /// Creates an empty presence and the queue that [`task::run`] processes.
    pub fn new(
        bus: Arc<Bus>,
        readers: ReadPool,
        writer: WriterHandle,
    ) -> (Arc<Self>, UnboundedReceiver<PresenceChange>) {
        // Bounded in effect: by the connected users, and by the write rates of chats and profiles.
        let (changes, received) = unbounded_channel();
        (
            Arc::new(Self {
                online: Mutex::default(),
                bus,
                connected: Mutex::default(),
                moved: Mutex::default(),
                changes,
                readers,
                writer,
            }),
            received,
        )
    }

    /// Queues a change for [`task::run`].
    pub fn note(&self, change: PresenceChange) {
        if let PresenceChange::Moved(user) = change
            && !self.moved.lock().insert(user)
        {
            return;
        }
        // Fails only at shutdown, when the receiver is gone.
        let _ = self.changes.send(change);
    }

    /// Takes a connection change of a user from the queue's index, so that a later one is queued again.
    fn take_moved(&self, user: UserId) {
        self.moved.lock().remove(&user);
    }

    /// Returns the online dm partners of a user, sorted by id.
    pub async fn partners_of(&self, user: UserId) -> Result<Vec<UserId>, Refusal> {
        let pairs = self.readers.query(move |conn| dm_partners::of(conn, &[user])).await?;
        // The task may not have processed the latest connections yet.
        let is_online =
            |user: &UserId| self.connected.lock().contains_key(user) || self.online.lock().has(*user);
        let mut online_partners: Vec<UserId> =
            pairs.into_iter().map(|(_, partner)| partner).filter(is_online).collect();
        online_partners.sort_unstable();
        online_partners.dedup();
        Ok(online_partners)
    }

    /// Returns those of `users` that are online on any node.
    pub fn online_among(&self, users: Vec<UserId>) -> Vec<UserId> {
        let (connected, online) = (self.connected.lock(), self.online.lock());
        users.into_iter().filter(|user| connected.contains_key(user) || online.has(*user)).collect()
    }

    /// Shutdown: stores the last-seen time of all users online on this node.
    pub async fn close(&self) {
        let now = Timestamp::now();
        let seen: Vec<(UserId, Timestamp)> =
            self.online.lock().here.drain().map(|user| (user, now)).collect();
        self.store_last_seen(seen).await;
    }

    /// Marks a user as connected to this node. Returns the message for the other nodes, if they were not, and
    /// whether they were offline on all nodes before.
    fn set_online(&self, user: UserId) -> (Option<PresenceMessage>, bool) {
        let mut online = self.online.lock();
        let was_online = online.has(user);
        let message = online.here.insert(user).then(|| {
            online.version += 1;
            PresenceMessage::Came { user, version: online.version, partners: None }
        });
        (message, !was_online)
    }

    /// Marks a user as disconnected from this node. Returns the message for the other nodes, if they were
    /// connected, and whether they are still online on another node.
    fn set_offline(&self, user: UserId, at: Timestamp) -> (Option<PresenceMessage>, bool) {
        let mut online = self.online.lock();
        let message = online.here.remove(&user).then(|| {
            online.version += 1;
            PresenceMessage::Went { user, at, version: online.version, partners: None }
        });
        (message, online.has(user))
    }

    /// Applies a presence message of another node. Returns the users whose online state changed.
    fn apply_remote(&self, from: NodeId, message: PresenceMessage) -> Vec<Moved> {
        let mut online = self.online.lock();
        let now = Instant::now();
        if matches!(message, PresenceMessage::Ask { of } if of == self.bus.me()) {
            let users = online.here.iter().copied().collect();
            self.publish(PresenceMessage::All { users, version: online.version });
        }
        let were: HashSet<UserId> = match &message {
            PresenceMessage::Came { user, .. } => {
                Some(*user).filter(|user| online.has(*user)).into_iter().collect()
            }
            PresenceMessage::All { users, .. } => {
                users.iter().copied().filter(|user| online.has(*user)).collect()
            }
            _ => HashSet::new(),
        };
        let partners = match &message {
            PresenceMessage::Came { user, partners: Some(partners), .. }
            | PresenceMessage::Went { user, partners: Some(partners), .. } => {
                let mut partners = partners.clone();
                online.recent_dms.complete(*user, &mut partners, now);
                Some(partners)
            }
            _ => None,
        };
        let moves = online.remote.hear(from, message, now);
        if moves.is_behind {
            self.publish(PresenceMessage::Ask { of: from });
        }
        let now = Timestamp::now();
        let came = moves.came.into_iter().filter(|user| !were.contains(user)).map(|user| (user, true, now));
        let went = moves.went.into_iter().filter(|(user, _)| !online.has(*user));
        let moved = came.chain(went.map(|(user, at)| (user, false, at)));
        moved.map(|(user, is_online, at)| Moved { user, is_online, at, partners: partners.clone() }).collect()
    }

    /// Publishes a heartbeat and expires silent nodes. Returns the users whose last connection was on them.
    fn send_heartbeat(&self) -> Vec<UserId> {
        let mut online = self.online.lock();
        self.publish(PresenceMessage::Heartbeat { version: online.version });
        let mut gone = online.remote.expire(Instant::now());
        gone.retain(|user| !online.has(*user));
        gone
    }

    fn publish(&self, message: PresenceMessage) {
        self.bus.publish(BusMessage::Presence(message));
    }
}

/// Most users whose last-seen time one transaction stores.
const SEEN_AT_ONCE: usize = 100;

impl Presence {
    async fn store_last_seen(&self, seen: Vec<(UserId, Timestamp)>) {
        // At shutdown it may be every user of the node.
        for step in seen.chunks(SEEN_AT_ONCE) {
            let step = step.to_vec();
            let stored =
                self.writer.run("store_last_seen", move |conn, _| dm_partners::seen(conn, &step)).await;
            if let Err(refusal) = stored {
                tracing::debug!(?refusal, "could not store when users were last seen");
            }
        }
    }
}

impl Debug for Presence {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence").field("online", &self.online).finish_non_exhaustive()
    }
}

impl ConnectionObserver for Presence {
    fn connected(&self, user: UserId) {
        let listening = (!self.bus.is_alone()).then(|| self.bus.listen(Channel::User(user)));
        self.connected.lock().insert(user, listening);
        self.note(PresenceChange::Moved(user));
    }

    fn disconnected(&self, user: UserId) {
        self.connected.lock().remove(&user);
        self.note(PresenceChange::Moved(user));
    }
}
