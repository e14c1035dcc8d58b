//! Who is there, on this node or another: people hear of those with whom they share a dm, when they come and go and when their names change.

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

use remote_nodes::{Elsewhere, GRACE};
use renamed::Renamed;

use crate::{
    bus::{Bus, News as Told, NodeId, PresenceNews},
    core::model::{Refusal, Timestamp, UserId},
    hub::{UserRegistry, registry::ConnectionObserver},
    storage::{Readers, WriterHandle, tables::dm_partners},
    view::frames,
};

/// Most turns that are taken at once.
const AT_ONCE: usize = 256;

/// How often a node tells that it is alive.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Who is online.
pub struct Presence {
    online: Mutex<Online>,
    bus: Arc<Bus>,
    /// Who is to be looked at; each waits but once, however often they come and go.
    moved: Mutex<HashSet<UserId>>,
    turns: UnboundedSender<Turn>,
    readers: Readers,
    writer: WriterHandle,
}

/// The users of this node and of the others.
#[derive(Debug, Default)]
struct Online {
    here: HashSet<UserId>,
    /// What was told of them so far.
    version: u64,
    elsewhere: Elsewhere,
}

impl Online {
    fn has(&self, user: UserId) -> bool {
        self.here.contains(&user) || self.elsewhere.has(user)
    }
}

/// Something that people may have to hear of.
#[derive(Debug)]
pub enum Turn {
    /// A user's first connection began, or the last one ended.
    Moved(UserId),
    /// Two people share a dm from now on.
    Met(UserId, UserId),
    /// The event of a user's new name or picture, for them and everybody with whom they share a dm.
    Told(UserId, ByteString),
    /// Another node tells of its users.
    Elsewhere(NodeId, PresenceNews),
}

impl Presence {
    /// Nobody is there yet. What happens is worked off by [`run`].
    pub fn new(
        bus: Arc<Bus>,
        readers: Readers,
        writer: WriterHandle,
    ) -> (Arc<Self>, UnboundedReceiver<Turn>) {
        // What waits is bounded by the users who are here, and by the writes that chats and names take.
        let (turns, received) = unbounded_channel();
        (
            Arc::new(Self { online: Mutex::default(), bus, moved: Mutex::default(), turns, readers, writer }),
            received,
        )
    }

    /// Has something looked at, a little later.
    pub fn note(&self, turn: Turn) {
        if let Turn::Moved(user) = turn
            && !lock(&self.moved).insert(user)
        {
            return;
        }
        // The receiver is gone when the server ends.
        let _ = self.turns.send(turn);
    }

    /// The people online with whom a user shares a dm.
    pub async fn partners_of(&self, user: UserId) -> Result<Vec<UserId>, Refusal> {
        let pairs = self.readers.ask(move |conn| dm_partners::of(conn, &[user])).await?;
        let online = self.lock();
        let mut there: Vec<UserId> =
            pairs.into_iter().map(|(_, partner)| partner).filter(|partner| online.has(*partner)).collect();
        drop(online);
        there.sort_unstable();
        there.dedup();
        Ok(there)
    }

    /// Notes, when the server ends, until when those who are online were seen.
    pub async fn close(&self) {
        let now = Timestamp::now();
        let seen: Vec<(UserId, Timestamp)> = self.lock().here.drain().map(|user| (user, now)).collect();
        self.keep(seen).await;
    }

    /// A user is connected to this node now. Returns whether they were not online before.
    fn comes(&self, user: UserId) -> bool {
        let mut online = self.lock();
        let was_online = online.has(user);
        if online.here.insert(user) {
            online.version += 1;
            self.tell(PresenceNews::Came { user, version: online.version });
        }
        !was_online
    }

    /// A user is not connected to this node any more. Returns whether they were, and whether they are online still.
    fn goes(&self, user: UserId, at: Timestamp) -> (bool, bool) {
        let mut online = self.lock();
        let was_here = online.here.remove(&user);
        if was_here {
            online.version += 1;
            self.tell(PresenceNews::Went { user, at, version: online.version });
        }
        (was_here, online.has(user))
    }

    /// Takes in what another node tells: those who are online now and were not, and those of whom the reverse is true.
    fn hear(&self, from: NodeId, news: PresenceNews) -> Vec<(UserId, bool, Timestamp)> {
        let mut online = self.lock();
        if matches!(news, PresenceNews::Ask { of } if of == self.bus.me()) {
            let users = online.here.iter().copied().collect();
            self.tell(PresenceNews::All { users, version: online.version });
        }
        let were: HashSet<UserId> = match &news {
            PresenceNews::Came { user, .. } => {
                Some(*user).filter(|user| online.has(*user)).into_iter().collect()
            }
            PresenceNews::All { users, .. } => {
                users.iter().copied().filter(|user| online.has(*user)).collect()
            }
            _ => HashSet::new(),
        };
        let moves = online.elsewhere.hear(from, news, Instant::now());
        if moves.is_behind {
            self.tell(PresenceNews::Ask { of: from });
        }
        let now = Timestamp::now();
        let came = moves.came.into_iter().filter(|user| !were.contains(user)).map(|user| (user, true, now));
        let went = moves.went.into_iter().filter(|(user, _)| !online.has(*user));
        came.chain(went.map(|(user, at)| (user, false, at))).collect()
    }

    /// Tells that this node is alive, and forgets those that are not. Returns who is not online any more.
    fn beat(&self) -> Vec<UserId> {
        let mut online = self.lock();
        self.tell(PresenceNews::Beat { version: online.version });
        let mut gone = online.elsewhere.expire(Instant::now());
        gone.retain(|user| !online.has(*user));
        gone
    }

    fn tell(&self, news: PresenceNews) {
        self.bus.publish(Told::Presence(news));
    }

    fn lock(&self) -> MutexGuard<'_, Online> {
        self.online.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(users: &Mutex<HashSet<UserId>>) -> MutexGuard<'_, HashSet<UserId>> {
    users.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Works off what was noted, for as long as the server runs.
pub async fn run(presence: Arc<Presence>, registry: Arc<UserRegistry>, mut turns: UnboundedReceiver<Turn>) {
    let (mut leaving, mut renamed) = (Leaving::default(), Renamed::default());
    let mut beat = interval(BEAT_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (mut batch, mut gone) = (Vec::new(), Vec::new());
        tokio::select! {
            count = turns.recv_many(&mut batch, AT_ONCE) => if count == 0 { return },
            () = leaving.is_due() => {}
            () = renamed.is_due() => {}
            _ = beat.tick(), if !presence.bus.is_alone() => gone = presence.beat(),
        }
        let mut news = follow(&presence, &registry, batch, &mut leaving, &mut renamed);
        for (user, frame) in renamed.take_due() {
            news.tell(&registry, user, frame);
        }
        let now = Timestamp::now();
        news.frames.extend(gone.into_iter().map(|user| (user, frames::presence(user, false, now))));
        let gone = leaving.take_due();
        let gone: Vec<_> = gone.into_iter().filter(|(user, _)| !registry.is_connected(*user)).collect();
        for (user, at) in gone {
            let (was_here, is_online) = presence.goes(user, at);
            if was_here {
                news.seen.push((user, at));
            }
            if was_here && !is_online {
                news.frames.push((user, frames::presence(user, false, at)));
            }
        }
        news.spread(&presence, &registry).await;
    }
}

/// What people are to hear, and what is to be kept.
#[derive(Default)]
struct News {
    seen: Vec<(UserId, Timestamp)>,
    /// For the partners of a user.
    frames: Vec<(UserId, ByteString)>,
}

fn follow(
    presence: &Presence,
    registry: &UserRegistry,
    batch: Vec<Turn>,
    leaving: &mut Leaving,
    renamed: &mut Renamed,
) -> News {
    let mut news = News::default();
    for turn in batch {
        if let Turn::Moved(user) = turn {
            // Before the look, so that a later move is looked at again.
            lock(&presence.moved).remove(&user);
        }
        match turn {
            Turn::Moved(user) if registry.is_connected(user) => {
                leaving.stays(user);
                if presence.comes(user) {
                    let now = Timestamp::now();
                    news.seen.push((user, now));
                    news.frames.push((user, frames::presence(user, true, now)));
                }
            }
            Turn::Moved(user) => leaving.leaves(user),
            Turn::Met(one, other) => {
                introduce(presence, registry, one, other);
                introduce(presence, registry, other, one);
            }
            Turn::Told(user, frame) => {
                if let Some(frame) = renamed.changed(user, frame) {
                    news.tell(registry, user, frame);
                }
            }
            Turn::Elsewhere(from, told) => {
                for (user, is_online, at) in presence.hear(from, told) {
                    news.frames.push((user, frames::presence(user, is_online, at)));
                }
            }
        }
    }
    news
}

/// Tells `one` that `other` is there.
fn introduce(presence: &Presence, registry: &UserRegistry, one: UserId, other: UserId) {
    if presence.lock().has(other) {
        tell(registry, one, &frames::presence(other, true, Timestamp::now()));
    }
}

fn tell(registry: &UserRegistry, user: UserId, frame: &ByteString) {
    registry.sockets_of(user).iter().for_each(|socket| socket.tell(frame));
}

impl News {
    /// Tells a user, and has their partners told.
    fn tell(&mut self, registry: &UserRegistry, user: UserId, frame: ByteString) {
        tell(registry, user, &frame);
        self.frames.push((user, frame));
    }

    async fn spread(self, presence: &Presence, registry: &UserRegistry) {
        if !self.frames.is_empty() {
            let mut users: Vec<UserId> = self.frames.iter().map(|(user, _)| *user).collect();
            users.sort_unstable();
            users.dedup();
            // Where storage is away, this news is lost; whoever connects is told who is there.
            let pairs =
                presence.readers.ask(move |conn| dm_partners::of(conn, &users)).await.unwrap_or_default();
            let mut partners: HashMap<UserId, Vec<UserId>> = HashMap::new();
            for (user, partner) in pairs {
                partners.entry(user).or_default().push(partner);
            }
            for (user, frame) in &self.frames {
                partners.get(user).into_iter().flatten().for_each(|partner| tell(registry, *partner, frame));
            }
        }
        presence.keep(self.seen).await;
    }
}

/// Most users of whom one transaction stores when they were last seen.
const SEEN_AT_ONCE: usize = 100;

impl Presence {
    async fn keep(&self, seen: Vec<(UserId, Timestamp)>) {
        // At the end it may be everybody.
        for step in seen.chunks(SEEN_AT_ONCE) {
            let step = step.to_vec();
            let stored =
                self.writer.run("store_last_seen", move |conn, _| dm_partners::seen(conn, &step)).await;
            if let Err(refusal) = stored {
                tracing::debug!(?refusal, "when users were last seen could not be kept");
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
        self.note(Turn::Moved(user));
    }
}

/// Users without a connection who have not been away for long yet.
#[derive(Default)]
struct Leaving {
    since: HashMap<UserId, Instant>,
    /// In the order of leaving; some of them have come back.
    order: VecDeque<(Instant, UserId, Timestamp)>,
}

impl Leaving {
    fn leaves(&mut self, user: UserId) {
        let now = Instant::now();
        self.since.insert(user, now);
        self.order.push_back((now, user, Timestamp::now()));
    }

    fn stays(&mut self, user: UserId) {
        self.since.remove(&user);
    }

    async fn is_due(&self) {
        match self.order.front() {
            Some((since, ..)) => sleep_until(*since + GRACE).await,
            None => std::future::pending().await,
        }
    }

    /// Those who have been away for long enough, each with when they went.
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
