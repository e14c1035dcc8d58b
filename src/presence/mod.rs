//! Presence across all nodes. Users get an event when a dm partner connects, disconnects, or changes name or
//! picture.

mod remote_nodes;
mod renamed;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt::{self, Debug, Formatter},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytestring::ByteString;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use remote_nodes::{GRACE, RemotePresence};
use renamed::Renamed;

use crate::{
    bus::{Bus, BusMessage, NodeId, PresenceMessage},
    core::model::{Refusal, Timestamp, UserId},
    hub::{Hub, registry::ConnectionObserver},
    storage::{ReadPool, WriterHandle, tables::dm_partners},
    view::frames,
};

/// Most changes processed in one batch.
const AT_ONCE: usize = 256;

/// Heartbeat interval of a node.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// Online users of all nodes, and the queue of presence changes.
pub struct Presence {
    online: Mutex<Online>,
    bus: Arc<Bus>,
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
    /// Creates an empty presence and the queue that [`run`] processes.
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
                moved: Mutex::default(),
                changes,
                readers,
                writer,
            }),
            received,
        )
    }

    /// Queues a change for [`run`].
    pub fn note(&self, change: PresenceChange) {
        if let PresenceChange::Moved(user) = change
            && !lock(&self.moved).insert(user)
        {
            return;
        }
        // Fails only at shutdown, when the receiver is gone.
        let _ = self.changes.send(change);
    }

    /// Returns the online dm partners of a user, sorted by id.
    pub async fn partners_of(&self, user: UserId) -> Result<Vec<UserId>, Refusal> {
        let pairs = self.readers.query(move |conn| dm_partners::of(conn, &[user])).await?;
        let online = self.lock();
        let mut online_partners: Vec<UserId> =
            pairs.into_iter().map(|(_, partner)| partner).filter(|partner| online.has(*partner)).collect();
        drop(online);
        online_partners.sort_unstable();
        online_partners.dedup();
        Ok(online_partners)
    }

    /// Shutdown: stores the last-seen time of all users online on this node.
    pub async fn close(&self) {
        let now = Timestamp::now();
        let seen: Vec<(UserId, Timestamp)> = self.lock().here.drain().map(|user| (user, now)).collect();
        self.store_last_seen(seen).await;
    }

    /// Marks a user as connected to this node. Returns whether they were offline on all nodes before.
    fn set_online(&self, user: UserId) -> bool {
        let mut online = self.lock();
        let was_online = online.has(user);
        if online.here.insert(user) {
            online.version += 1;
            self.publish(PresenceMessage::Came { user, version: online.version });
        }
        !was_online
    }

    /// Marks a user as disconnected from this node. Returns whether they were connected, and whether they are
    /// still online on another node.
    fn set_offline(&self, user: UserId, at: Timestamp) -> (bool, bool) {
        let mut online = self.lock();
        let was_here = online.here.remove(&user);
        if was_here {
            online.version += 1;
            self.publish(PresenceMessage::Went { user, at, version: online.version });
        }
        (was_here, online.has(user))
    }

    /// Applies a presence message of another node. Returns the users whose online state changed.
    fn apply_remote(&self, from: NodeId, message: PresenceMessage) -> Vec<(UserId, bool, Timestamp)> {
        let mut online = self.lock();
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
        let moves = online.remote.hear(from, message, Instant::now());
        if moves.is_behind {
            self.publish(PresenceMessage::Ask { of: from });
        }
        let now = Timestamp::now();
        let came = moves.came.into_iter().filter(|user| !were.contains(user)).map(|user| (user, true, now));
        let went = moves.went.into_iter().filter(|(user, _)| !online.has(*user));
        came.chain(went.map(|(user, at)| (user, false, at))).collect()
    }

    /// Publishes a heartbeat and expires silent nodes. Returns the users whose last connection was on them.
    fn send_heartbeat(&self) -> Vec<UserId> {
        let mut online = self.lock();
        self.publish(PresenceMessage::Heartbeat { version: online.version });
        let mut gone = online.remote.expire(Instant::now());
        gone.retain(|user| !online.has(*user));
        gone
    }

    fn publish(&self, message: PresenceMessage) {
        self.bus.publish(BusMessage::Presence(message));
    }

    fn lock(&self) -> MutexGuard<'_, Online> {
        self.online.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(users: &Mutex<HashSet<UserId>>) -> MutexGuard<'_, HashSet<UserId>> {
    users.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Processes presence changes until the server shuts down.
pub async fn run(presence: Arc<Presence>, hub: Arc<Hub>, mut changes: UnboundedReceiver<PresenceChange>) {
    let (mut grace_periods, mut renamed) = (GracePeriods::default(), Renamed::default());
    let mut heartbeat = interval(HEARTBEAT_EVERY);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (mut batch, mut gone) = (Vec::new(), Vec::new());
        tokio::select! {
            count = changes.recv_many(&mut batch, AT_ONCE) => if count == 0 { return },
            () = grace_periods.is_due() => {}
            () = renamed.is_due() => {}
            _ = heartbeat.tick(), if !presence.bus.is_alone() => gone = presence.send_heartbeat(),
        }
        let mut announcements = process(&presence, &hub, batch, &mut grace_periods, &mut renamed);
        for (user, frame) in renamed.take_due() {
            announcements.send(&hub, user, frame);
        }
        let now = Timestamp::now();
        announcements.frames.extend(gone.into_iter().map(|user| (user, frames::presence(user, false, now))));
        let gone = grace_periods.take_due();
        let gone: Vec<_> = gone.into_iter().filter(|(user, _)| !hub.is_connected(*user)).collect();
        for (user, at) in gone {
            let (was_here, is_online) = presence.set_offline(user, at);
            if was_here {
                announcements.seen.push((user, at));
            }
            if was_here && !is_online {
                announcements.frames.push((user, frames::presence(user, false, at)));
            }
        }
        announcements.deliver(&presence, &hub).await;
    }
}

/// Result of one batch: events to deliver and last-seen times to store.
#[derive(Default)]
struct Announcements {
    seen: Vec<(UserId, Timestamp)>,
    /// Events for the dm partners of a user.
    frames: Vec<(UserId, ByteString)>,
}

fn process(
    presence: &Presence,
    hub: &Hub,
    batch: Vec<PresenceChange>,
    grace_periods: &mut GracePeriods,
    renamed: &mut Renamed,
) -> Announcements {
    let mut announcements = Announcements::default();
    for change in batch {
        if let PresenceChange::Moved(user) = change {
            // Removed before the state is read, so that a later change is queued again.
            lock(&presence.moved).remove(&user);
        }
        match change {
            PresenceChange::Moved(user) if hub.is_connected(user) => {
                grace_periods.cancel(user);
                if presence.set_online(user) {
                    let now = Timestamp::now();
                    announcements.seen.push((user, now));
                    announcements.frames.push((user, frames::presence(user, true, now)));
                }
            }
            PresenceChange::Moved(user) => grace_periods.start(user),
            PresenceChange::NewDm(one, other) => {
                send_if_online(presence, hub, one, other);
                send_if_online(presence, hub, other, one);
            }
            PresenceChange::ProfileChanged(user, frame) => {
                if let Some(frame) = renamed.changed(user, frame) {
                    announcements.send(hub, user, frame);
                }
            }
            PresenceChange::RemotePresence(from, message) => {
                for (user, is_online, at) in presence.apply_remote(from, message) {
                    announcements.frames.push((user, frames::presence(user, is_online, at)));
                }
            }
        }
    }
    announcements
}

/// Sends `one` a presence event if `other` is online.
fn send_if_online(presence: &Presence, hub: &Hub, one: UserId, other: UserId) {
    if presence.lock().has(other) {
        send_to(hub, one, &frames::presence(other, true, Timestamp::now()));
    }
}

fn send_to(hub: &Hub, user: UserId, frame: &ByteString) {
    hub.sockets_of(user).iter().for_each(|socket| socket.tell(frame));
}

impl Announcements {
    /// Sends an event to a user, and queues it for the user's dm partners.
    fn send(&mut self, hub: &Hub, user: UserId, frame: ByteString) {
        send_to(hub, user, &frame);
        self.frames.push((user, frame));
    }

    async fn deliver(self, presence: &Presence, hub: &Hub) {
        if !self.frames.is_empty() {
            let mut users: Vec<UserId> = self.frames.iter().map(|(user, _)| *user).collect();
            users.sort_unstable();
            users.dedup();
            // If storage fails, these events are lost. Clients get the current state when they reconnect.
            let pairs =
                presence.readers.query(move |conn| dm_partners::of(conn, &users)).await.unwrap_or_default();
            let mut partners: HashMap<UserId, Vec<UserId>> = HashMap::new();
            for (user, partner) in pairs {
                partners.entry(user).or_default().push(partner);
            }
            for (user, frame) in &self.frames {
                partners.get(user).into_iter().flatten().for_each(|partner| send_to(hub, *partner, frame));
            }
        }
        presence.store_last_seen(self.seen).await;
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
    fn connections_changed(&self, user: UserId) {
        self.note(PresenceChange::Moved(user));
    }
}

/// Disconnected users within the grace period.
#[derive(Default)]
struct GracePeriods {
    since: HashMap<UserId, Instant>,
    /// Ordered by time of disconnection; entries of reconnected users are skipped later.
    order: VecDeque<(Instant, UserId, Timestamp)>,
}

impl GracePeriods {
    fn start(&mut self, user: UserId) {
        let now = Instant::now();
        self.since.insert(user, now);
        self.order.push_back((now, user, Timestamp::now()));
    }

    fn cancel(&mut self, user: UserId) {
        self.since.remove(&user);
    }

    async fn is_due(&self) {
        match self.order.front() {
            Some((since, ..)) => sleep_until(*since + GRACE).await,
            None => std::future::pending().await,
        }
    }

    /// Takes the users whose grace period is over, each with the time of disconnection.
    fn take_due(&mut self) -> Vec<(UserId, Timestamp)> {
        let (now, mut due) = (Instant::now(), Vec::new());
        while let Some((since, user, at)) = self.order.front().copied()
            && since + GRACE <= now
        {
            self.order.pop_front();
            if self.since.get(&user) == Some(&since) {
                self.since.remove(&user);
                due.push((user, at));
            }
        }
        due
    }
}
